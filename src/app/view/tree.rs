//! What the macro `view!` (`src/view`) describes a view to: elements, texts and parts, all of one type.

use std::borrow::Cow;

use leptos::{
    attr::any_attribute::AnyAttribute,
    ev::EventDescriptor,
    html::ElementType,
    prelude::*,
    tachys::{
        html::{event::On, node_ref::NodeRefContainer},
        hydration::Cursor,
        no_attrs,
        renderer::types,
        view::{Position, PositionState},
    },
};

#[cfg(feature = "hydrate")]
use leptos::ev::on;

use super::{Erase, Live, live};

mod shown;

use shown::State;

/// Elements that hold nothing and are not closed.
const VOID: [&str; 6] = ["br", "hr", "img", "input", "link", "meta"];

/// Elements of drawings.
const DRAWING: [&str; 3] = ["svg", "path", "circle"];

/// A view.
pub(crate) struct Tree {
    /// Where it is written: two of one place have the same elements, and become each other by what differs in them.
    site: u32,
    nodes: Vec<Node>,
    /// Elements that are not closed yet, the innermost last.
    open: Vec<Element>,
}

no_attrs!(Tree);

enum Node {
    Text(&'static str),
    Element(Element),
    View(AnyView),
}

struct Element {
    tag: &'static str,
    attributes: Vec<Attribute>,
    children: Vec<Node>,
}

/// What an element has besides its children.
enum Attribute {
    Fixed(&'static str, Value),
    /// Follows its signals.
    Live(&'static str, Live<Value>),
    /// One of the DOM's object, which follows its signals as well.
    Property(&'static str, Live<String>),
    Html(String),
    #[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
    On(On<Named, Act>),
    Reference(Box<dyn FnOnce(&types::Element) + Send>),
}

/// An attribute's value; none where the element does not have the attribute.
pub(crate) type Value = Option<Cow<'static, str>>;

/// What an event does.
type Act = Box<dyn FnMut(types::Event)>;

/// An event by its name, so that all listeners are of one type.
#[derive(Clone)]
#[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
struct Named(Cow<'static, str>);

impl EventDescriptor for Named {
    type EventType = types::Event;

    const BUBBLES: bool = false;

    fn name(&self) -> Cow<'static, str> {
        self.0.clone()
    }

    fn event_delegation_key(&self) -> Cow<'static, str> {
        self.0.clone()
    }
}

/// What an attribute's value is made of.
pub(crate) trait IntoValue {
    /// The value.
    fn into_value(self) -> Value;
}

impl IntoValue for &'static str {
    fn into_value(self) -> Value {
        Some(Cow::Borrowed(self))
    }
}

impl IntoValue for String {
    fn into_value(self) -> Value {
        Some(Cow::Owned(self))
    }
}

impl IntoValue for bool {
    fn into_value(self) -> Value {
        self.then_some(Cow::Borrowed(""))
    }
}

impl<T: IntoValue> IntoValue for Option<T> {
    fn into_value(self) -> Value {
        self.and_then(IntoValue::into_value)
    }
}

impl IntoValue for u8 {
    fn into_value(self) -> Value {
        self.to_string().into_value()
    }
}

/// What a property can be.
pub(crate) trait IntoProperty {
    /// How it is read.
    fn into_property(self) -> Live<String>;
}

impl IntoProperty for String {
    fn into_property(self) -> Live<String> {
        live(move || self.clone())
    }
}

impl IntoProperty for RwSignal<String> {
    fn into_property(self) -> Live<String> {
        live(move || self.get())
    }
}

/// What can be written after an attribute's name: a value, or one that follows its signals.
pub(crate) trait IntoAttribute {
    /// What the builder is told.
    fn add(self, name: &'static str, tree: &mut Tree);
}

impl<T: IntoValue> IntoAttribute for T {
    fn add(self, name: &'static str, tree: &mut Tree) {
        tree.put(Attribute::Fixed(name, self.into_value()));
    }
}

impl<T: IntoValue + 'static> IntoAttribute for Live<T> {
    fn add(self, name: &'static str, tree: &mut Tree) {
        tree.put(Attribute::Live(name, live(move || self().into_value())));
    }
}

/// What the macro writes.
impl Tree {
    /// Begins a view.
    pub(crate) fn new(site: u32) -> Self {
        Self { site, nodes: Vec::new(), open: Vec::new() }
    }

    /// Begins an element.
    pub(crate) fn open(&mut self, tag: &'static str) {
        self.open.push(Element { tag, attributes: Vec::new(), children: Vec::new() });
    }

    /// Ends the innermost element that is open.
    pub(crate) fn close(&mut self) {
        if let Some(element) = self.open.pop() {
            self.push(Node::Element(element));
        }
    }

    /// Text that stays.
    pub(crate) fn text(&mut self, text: &'static str) {
        self.push(Node::Text(text));
    }

    /// A view inside.
    pub(crate) fn view(&mut self, view: impl IntoView + 'static) {
        let view = view.erase();
        self.push(Node::View(view));
    }

    /// An attribute that is written out.
    pub(crate) fn fixed(&mut self, name: &'static str, value: &'static str) {
        self.put(Attribute::Fixed(name, Some(Cow::Borrowed(value))));
    }

    /// An attribute.
    pub(crate) fn attribute(&mut self, name: &'static str, value: impl IntoAttribute) {
        value.add(name, self);
    }

    /// A property of the DOM's object.
    pub(crate) fn property(&mut self, name: &'static str, value: impl IntoProperty) {
        self.put(Attribute::Property(name, value.into_property()));
    }

    /// What is inside, as HTML.
    pub(crate) fn html(&mut self, html: String) {
        self.put(Attribute::Html(html));
    }

    /// What an event does.
    #[cfg(feature = "hydrate")]
    pub(crate) fn on<E>(&mut self, event: E, mut act: impl FnMut(E::EventType) + 'static)
    where
        E: EventDescriptor,
        E::EventType: From<types::Event>,
    {
        self.listen(event.name(), Box::new(move |event| act(event.into())));
    }

    /// Servers hear no events.
    #[cfg(not(feature = "hydrate"))]
    #[allow(clippy::unused_self)]
    pub(crate) fn on<E: EventDescriptor>(&mut self, _: E, _: impl FnMut(E::EventType) + 'static) {}

    #[cfg(feature = "hydrate")]
    fn listen(&mut self, name: Cow<'static, str>, act: Act) {
        self.put(Attribute::On(on(Named(name), act)));
    }

    /// Where the element is made known.
    pub(crate) fn reference<E>(&mut self, reference: NodeRef<E>)
    where
        E: ElementType,
        NodeRef<E>: NodeRefContainer<E>,
    {
        self.put(Attribute::Reference(Box::new(move |element| reference.load(element))));
    }

    fn put(&mut self, attribute: Attribute) {
        if let Some(element) = self.open.last_mut() {
            element.attributes.push(attribute);
        }
    }

    fn push(&mut self, node: Node) {
        match self.open.last_mut() {
            Some(element) => element.children.push(node),
            None => self.nodes.push(node),
        }
    }
}

impl Render for Tree {
    type State = State;

    fn build(self) -> State {
        State::build(self)
    }

    fn rebuild(self, state: &mut State) {
        state.rebuild(self);
    }
}

impl RenderHtml for Tree {
    type AsyncOutput = Self;
    type Owned = Self;

    const MIN_LENGTH: usize = 0;

    fn dry_resolve(&mut self) {}

    async fn resolve(self) -> Self {
        self
    }

    fn to_html_with_buf(
        self,
        buf: &mut String,
        position: &mut Position,
        _: bool,
        mark_branches: bool,
        _: Vec<AnyAttribute>,
    ) {
        write(self.nodes, buf, position, mark_branches);
    }

    fn hydrate<const FROM_SERVER: bool>(self, cursor: &Cursor, position: &PositionState) -> State {
        State::hydrate(self, cursor, position)
    }

    fn into_owned(self) -> Self {
        self
    }
}

/// Writes nodes as HTML.
fn write(nodes: Vec<Node>, buf: &mut String, position: &mut Position, mark_branches: bool) {
    for node in nodes {
        match node {
            Node::Text(text) => text.to_html_with_buf(buf, position, true, mark_branches, Vec::new()),
            Node::View(view) => view.to_html_with_buf(buf, position, true, mark_branches, Vec::new()),
            Node::Element(element) => element.write(buf, position, mark_branches),
        }
    }
}

impl Element {
    fn write(self, buf: &mut String, position: &mut Position, mark_branches: bool) {
        buf.push('<');
        buf.push_str(self.tag);
        let mut inside = None;
        for attribute in self.attributes {
            match attribute {
                Attribute::Fixed(name, value) => write_attribute(buf, name, value),
                Attribute::Live(name, read) => write_attribute(buf, name, read()),
                Attribute::Html(html) => inside = Some(html),
                Attribute::Property(..) | Attribute::On(_) | Attribute::Reference(_) => {}
            }
        }
        buf.push('>');
        if !VOID.contains(&self.tag) {
            match inside {
                Some(html) => buf.push_str(&html),
                None => {
                    *position = Position::FirstChild;
                    write(self.children, buf, position, mark_branches);
                }
            }
            buf.push_str("</");
            buf.push_str(self.tag);
            buf.push('>');
        }
        *position = Position::NextChild;
    }
}

fn write_attribute(buf: &mut String, name: &str, value: Value) {
    let Some(value) = value else { return };
    buf.push(' ');
    buf.push_str(name);
    if !value.is_empty() {
        buf.push_str("=\"");
        for letter in value.chars() {
            match letter {
                '&' => buf.push_str("&amp;"),
                '<' => buf.push_str("&lt;"),
                '>' => buf.push_str("&gt;"),
                '"' => buf.push_str("&quot;"),
                letter => buf.push(letter),
            }
        }
        buf.push('"');
    }
}

#[cfg(test)]
mod tests {
    use leptos::prelude::*;

    use crate::app::view::{Erase, view};

    #[test]
    fn a_view_is_written_as_html() {
        let (title, nothing) = ("a \"<b>\" & c".to_owned(), None::<String>);
        let inner = view! { <b>"two"</b> }.erase();
        let tree = view! {
            <p class="one" title=title id=nothing hidden=true inert=false on:click=|_| ()>
                "<one> " {inner} {"three".to_owned()} "four" <br />
            </p>
            <div inner_html="<i>as it is</i>".to_owned()></div>
        };
        assert_eq!(
            tree.to_html(),
            "<p class=\"one\" title=\"a &quot;&lt;b&gt;&quot; &amp; c\" hidden>&lt;one&gt; <b>two</b>three<!>four<br></p>\
             <div><i>as it is</i></div>"
        );
    }
}
