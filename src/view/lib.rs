//! `view!`, written as Leptos's own, with another outcome: one type for all views.
//!
//! Leptos makes a type of each element, with its attributes and children in it, and the compiler writes the code that builds,
//! hydrates, updates and removes it once for every such type. Here an element is a few calls that describe it to a builder
//! (`src/app/view/tree.rs`), and one piece of code does the rest for all of them, which makes the page a quarter lighter.
//!
//! Components are given to Leptos as they are written.

use proc_macro::TokenStream;
use proc_macro2::{Ident, Span, TokenStream as Tokens};
use quote::{ToTokens, quote};
use rstml::{
    Infallible, Parser, ParserConfig,
    node::{KeyedAttribute, Node, NodeAttribute, NodeElement},
};
use syn::{Expr, Lit, LitStr, spanned::Spanned};

/// A view: elements, components, texts, and expressions in braces.
#[proc_macro]
pub fn view(input: TokenStream) -> TokenStream {
    let parser = Parser::new(ParserConfig::default().recover_block(true));
    let (nodes, errors) = parser.parse_recoverable(Tokens::from(input)).split_vec();
    let tree = Ident::new("tree", Span::mixed_site());
    let mut steps = Vec::new();
    for error in errors {
        let error = error.emit_as_expr_tokens();
        steps.push(quote!(#error;));
    }
    for node in &nodes {
        step(&tree, node, &mut steps);
    }
    let site = site();
    quote! {{
        let mut #tree = crate::app::view::Tree::new(#site);
        #[allow(unused_braces)]
        {
            #(#steps)*
        }
        #tree
    }}
    .into()
}

/// Tells this view from all others: where it is written, as a number.
fn site() -> u32 {
    let span = proc_macro::Span::call_site();
    let place = format!("{}:{}:{}", span.file(), span.line(), span.column());
    // FNV-1a: the same for every compiler.
    place.bytes().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// What describes a node to the builder.
fn step(tree: &Ident, node: &Node, steps: &mut Vec<Tokens>) {
    match node {
        Node::Element(element) if is_component(element) => {
            steps.push(quote!(#tree.view(::leptos::prelude::view! { #element });));
        }
        Node::Element(found) => element(tree, found, steps),
        Node::Fragment(fragment) => fragment.children.iter().for_each(|child| step(tree, child, steps)),
        Node::Text(text) => {
            let text = &text.value;
            steps.push(quote!(#tree.text(#text);));
        }
        Node::RawText(text) => {
            let text = LitStr::new(&text.to_string_best(), text.span());
            steps.push(quote!(#tree.text(#text);));
        }
        Node::Block(block) => steps.push(quote!(#tree.view(#block);)),
        Node::Comment(_) => {}
        node => steps.push(refused(node, "a view has no such part")),
    }
}

/// Components have the names of types.
fn is_component(element: &NodeElement<Infallible>) -> bool {
    element.name().to_string().starts_with(|first: char| first.is_ascii_uppercase())
}

fn element(tree: &Ident, element: &NodeElement<Infallible>, steps: &mut Vec<Tokens>) {
    let name = element.name().to_string();
    steps.push(quote!(#tree.open(#name);));
    for found in element.attributes() {
        steps.push(match found {
            NodeAttribute::Attribute(found) => attribute(tree, found),
            NodeAttribute::Block(_) => refused(found, "an attribute has a name"),
        });
    }
    for child in &element.children {
        step(tree, child, steps);
    }
    steps.push(quote!(#tree.close();));
}

fn attribute(tree: &Ident, attribute: &KeyedAttribute) -> Tokens {
    let key = attribute.key.to_string();
    let Some(value) = attribute.value() else { return quote!(#tree.fixed(#key, "");) };
    match (key.split_once(':'), &*key) {
        (Some(("on", event)), _) => {
            let event = Ident::new(event, attribute.key.span());
            quote!(#tree.on(::leptos::ev::#event, #value);)
        }
        (Some(("prop", property)), _) => quote!(#tree.property(#property, #value);),
        (Some(_), _) => refused(&attribute.key, "an attribute is `name`, `on:name` or `prop:name`"),
        (None, "node_ref") => quote!(#tree.reference(#value);),
        (None, "inner_html") => quote!(#tree.html(#value);),
        (None, _) => match literal(value) {
            Some(text) => quote!(#tree.fixed(#key, #text);),
            None => quote!(#tree.attribute(#key, #value);),
        },
    }
}

fn literal(value: &Expr) -> Option<&LitStr> {
    match value {
        Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => Some(text),
        _ => None,
    }
}

fn refused(what: &impl ToTokens, why: &str) -> Tokens {
    syn::Error::new_spanned(what, why).into_compile_error().into_token_stream()
}
