//! Changes what is in the page into what it should be, in place: a selection, a scroll position and a button that is being pressed
//! live through it.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{CharacterData, Element, HtmlTemplateElement, Node};

use super::answer::PART;

/// Makes the element's blocks from `from` on these. They stand in parts of [`PART`] each.
pub(super) fn blocks(element: &Element, from: usize, blocks: &[String]) {
    let parts = element.children();
    for (at, html) in blocks.iter().enumerate().skip(from) {
        let Some(wanted) = parsed(html) else { return };
        if let Some(block) = block_at(element, at) {
            children_of(&block, &wanted);
            continue;
        }
        let Some(part) = child(element, at / PART).or_else(|| added(element, "md-part")) else { return };
        let Some(block) = added(&part, "md-block") else { return };
        let _ = block.set_attribute("dir", "auto");
        let _ = block.append_child(&wanted);
    }
    let whole = u32::try_from(blocks.len().div_ceil(PART)).unwrap_or(u32::MAX);
    while let Some(extra) = parts.item(whole) {
        extra.remove();
    }
    while let Some(extra) = (!blocks.len().is_multiple_of(PART)).then(|| block_at(element, blocks.len())).flatten() {
        extra.remove();
    }
}

/// The block at a place.
fn block_at(element: &Element, at: usize) -> Option<Element> {
    child(&child(element, at / PART)?, at % PART)
}

fn child(element: &Element, at: usize) -> Option<Element> {
    element.children().item(u32::try_from(at).ok()?)
}

/// A new last child.
fn added(parent: &Element, class: &str) -> Option<Element> {
    let element = document().create_element("div").ok()?;
    element.set_class_name(class);
    parent.append_child(&element).ok()?;
    Some(element)
}

/// Lines of code that are laid out together, in characters: a browser lays the whole of them out with each piece.
const LINES: u32 = 4_000;

/// Adds to the code of one block.
pub(super) fn append_code(element: &Element, block: usize, text: &str) {
    let Some(code) = block_at(element, block).and_then(|block| block.query_selector("pre > code").ok().flatten())
    else {
        return;
    };
    let last = code.last_child();
    let inside = last.as_ref().and_then(|last| if last.has_child_nodes() { last.first_child() } else { None });
    let mut text = text;
    if let Some(open) = inside.or(last).and_then(|node| node.dyn_into::<CharacterData>().ok()) {
        // A new part begins with a line.
        let end = if open.length() < LINES { text.len() } else { text.find('\n').map_or(text.len(), |at| at + 1) };
        let _ = open.append_data(&text[..end]);
        text = &text[end..];
    }
    if text.is_empty() {
        return;
    }
    if let Ok(part) = document().create_element("span") {
        part.set_class_name("code-part");
        part.set_text_content(Some(text));
        let _ = code.append_child(&part);
    }
}

fn parsed(html: &str) -> Option<Node> {
    let template: HtmlTemplateElement = document().create_element("template").ok()?.dyn_into().ok()?;
    template.set_inner_html(html);
    Some(template.content().into())
}

/// Makes the children of one node those of another, which is used up.
fn children_of(node: &Node, wanted: &Node) {
    let mut old = node.first_child();
    let mut new = wanted.first_child();
    loop {
        match (old, new) {
            (None, None) => return,
            (Some(extra), None) => {
                old = extra.next_sibling();
                new = None;
                let _ = node.remove_child(&extra);
            }
            (None, Some(more)) => {
                new = more.next_sibling();
                old = None;
                let _ = node.append_child(&more);
            }
            (Some(here), Some(there)) => {
                old = here.next_sibling();
                new = there.next_sibling();
                if !here.is_equal_node(Some(&there)) && !becomes(&here, &there) {
                    let _ = node.replace_child(&there, &here);
                }
            }
        }
    }
}

/// Makes a node like another, if they are of one kind.
fn becomes(node: &Node, wanted: &Node) -> bool {
    if let (Some(text), Some(wanted)) = (node.dyn_ref::<CharacterData>(), wanted.dyn_ref::<CharacterData>()) {
        if text.node_type() != wanted.node_type() {
            return false;
        }
        let (before, now) = (text.data(), wanted.data());
        // Appending leaves a selection in the text alone; setting would end it.
        match now.strip_prefix(&before) {
            Some(more) => _ = text.append_data(more),
            None => text.set_data(&now),
        }
        return true;
    }
    let (Some(element), Some(other)) = (node.dyn_ref::<Element>(), wanted.dyn_ref::<Element>()) else { return false };
    if element.tag_name() != other.tag_name() {
        return false;
    }
    // What a button says it says to whoever has just pressed it.
    if element.tag_name() == "BUTTON" {
        return element.class_name() == other.class_name();
    }
    for name in other.get_attribute_names().iter().filter_map(|name| name.as_string()) {
        let value = other.get_attribute(&name);
        if element.get_attribute(&name) != value {
            let _ = element.set_attribute(&name, &value.unwrap_or_default());
        }
    }
    for name in element.get_attribute_names().iter().filter_map(|name| name.as_string()) {
        if !other.has_attribute(&name) {
            let _ = element.remove_attribute(&name);
        }
    }
    children_of(node, wanted);
    true
}
