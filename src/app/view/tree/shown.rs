//! A view in the page.

use leptos::{
    prelude::*,
    reactive::effect::RenderEffect,
    tachys::{
        hydration::Cursor,
        renderer::{CastFrom, RemoveEventHandler, Rndr, types},
        view::{Mountable, Position, PositionState, any_view::AnyViewState},
    },
};

use super::{Attribute, DRAWING, Element, Node, Tree, Value};
use crate::app::view::Live;

/// What the page holds of a [`Tree`].
pub(crate) struct State {
    site: u32,
    nodes: Vec<NodeState>,
}

enum NodeState {
    Text(types::Text),
    Element(ElementState),
    View(Box<AnyViewState>),
}

struct ElementState {
    element: types::Element,
    attributes: Vec<AttributeState>,
    children: Vec<NodeState>,
}

enum AttributeState {
    Fixed(Value),
    /// Goes on for as long as it is held.
    Live(#[allow(dead_code)] RenderEffect<Value>),
    Html(String),
    /// Listens for as long as it is held.
    On(#[allow(dead_code)] RemoveEventHandler<types::Element>),
    /// Nothing has to be known of it.
    Set,
}

impl State {
    pub(super) fn build(tree: Tree) -> Self {
        Self { site: tree.site, nodes: tree.nodes.into_iter().map(NodeState::build).collect() }
    }

    pub(super) fn hydrate(tree: Tree, cursor: &Cursor, position: &PositionState) -> Self {
        Self { site: tree.site, nodes: hydrate(tree.nodes, cursor, position) }
    }

    pub(super) fn rebuild(&mut self, tree: Tree) {
        if tree.site == self.site {
            rebuild(tree.nodes, &mut self.nodes);
            return;
        }
        let mut new = Self::build(tree);
        self.insert_before_this(&mut new);
        self.unmount();
        *self = new;
    }
}

impl Mountable for State {
    fn unmount(&mut self) {
        self.nodes.iter_mut().for_each(NodeState::unmount);
    }

    fn mount(&mut self, parent: &types::Element, marker: Option<&types::Node>) {
        for node in &mut self.nodes {
            node.mount(parent, marker);
        }
    }

    fn insert_before_this(&self, child: &mut dyn Mountable) -> bool {
        self.nodes.first().is_some_and(|node| match node {
            NodeState::Text(text) => text.insert_before_this(child),
            NodeState::Element(state) => state.element.insert_before_this(child),
            NodeState::View(view) => view.insert_before_this(child),
        })
    }

    fn elements(&self) -> Vec<types::Element> {
        let of = |node: &NodeState| match node {
            NodeState::Text(_) => Vec::new(),
            NodeState::Element(state) => vec![state.element.clone()],
            NodeState::View(view) => view.elements(),
        };
        self.nodes.iter().flat_map(of).collect()
    }
}

fn hydrate(nodes: Vec<Node>, cursor: &Cursor, position: &PositionState) -> Vec<NodeState> {
    nodes.into_iter().map(|node| NodeState::hydrate(node, cursor, position)).collect()
}

/// Two lists of nodes of one place differ in what is dynamic alone.
fn rebuild(nodes: Vec<Node>, states: &mut [NodeState]) {
    for (node, state) in nodes.into_iter().zip(states) {
        match (node, state) {
            (Node::Element(element), NodeState::Element(state)) => {
                for (attribute, before) in element.attributes.into_iter().zip(&mut state.attributes) {
                    *before = attribute.put(&state.element, Some(before));
                }
                rebuild(element.children, &mut state.children);
            }
            (Node::View(view), NodeState::View(state)) => view.rebuild(state),
            (Node::Text(_) | Node::Element(_) | Node::View(_), _) => {}
        }
    }
}

impl NodeState {
    fn build(node: Node) -> Self {
        match node {
            Node::Text(text) => Self::Text(Rndr::create_text_node(text)),
            Node::View(view) => Self::View(Box::new(view.build())),
            Node::Element(Element { tag, attributes, children }) => {
                let space = DRAWING.contains(&tag).then_some("http://www.w3.org/2000/svg");
                let element = Rndr::create_element(tag, space);
                let attributes = attributes.into_iter().map(|attribute| attribute.put(&element, None)).collect();
                let mut children: Vec<Self> = children.into_iter().map(Self::build).collect();
                for child in &mut children {
                    child.mount(&element, None);
                }
                Self::Element(ElementState { element, attributes, children })
            }
        }
    }

    fn hydrate(node: Node, cursor: &Cursor, position: &PositionState) -> Self {
        match node {
            Node::Text(text) => {
                drop(text.hydrate::<true>(cursor, position));
                match types::Text::cast_from(cursor.current()) {
                    Some(text) => Self::Text(text),
                    // The cursor has just stood the text's own hydration.
                    None => Self::Text(Rndr::create_text_node(text)),
                }
            }
            Node::View(view) => Self::View(Box::new(view.hydrate::<true>(cursor, position))),
            Node::Element(Element { tag, attributes, children }) => {
                match position.get() {
                    Position::FirstChild => cursor.child(),
                    Position::Current => {}
                    _ => cursor.sibling(),
                }
                let element = found(tag, cursor);
                let attributes = attributes.into_iter().map(|attribute| attribute.take_over(&element)).collect();
                let children = if children.is_empty() {
                    Vec::new()
                } else {
                    position.set(Position::FirstChild);
                    hydrate(children, cursor, position)
                };
                cursor.set(element.clone().into());
                position.set(Position::NextChild);
                Self::Element(ElementState { element, attributes, children })
            }
        }
    }

    fn mount(&mut self, parent: &types::Element, marker: Option<&types::Node>) {
        match self {
            Self::Text(text) => text.mount(parent, marker),
            Self::Element(state) => state.element.mount(parent, marker),
            Self::View(view) => view.mount(parent, marker),
        }
    }

    fn unmount(&mut self) {
        match self {
            Self::Text(text) => text.unmount(),
            Self::Element(state) => state.element.unmount(),
            Self::View(view) => view.unmount(),
        }
    }
}

/// The element that the server wrote.
///
/// # Panics
/// When the page is not the one that the server wrote: then this program cannot take it over, and `start.js` says so.
fn found(tag: &str, cursor: &Cursor) -> types::Element {
    let element = types::Element::cast_from(cursor.current());
    let Some(element) = element.filter(|element| element.local_name() == tag) else {
        panic!("the page has no <{tag}> where the server put one");
    };
    element
}

impl Attribute {
    /// Puts it on an element, which may have had another value of it.
    fn put(self, element: &types::Element, before: Option<&mut AttributeState>) -> AttributeState {
        match self {
            Self::Fixed(name, value) => {
                let same = match &before {
                    Some(AttributeState::Fixed(before)) => *before == value,
                    // A new element has no attribute.
                    Some(_) | None => value.is_none(),
                };
                if !same {
                    set(element, name, &value);
                }
                AttributeState::Fixed(value)
            }
            Self::Live(name, read) => AttributeState::Live(follow(element, name, read, false)),
            Self::Property(name, read) => {
                let element = element.clone();
                AttributeState::Live(RenderEffect::new(move |_| {
                    Rndr::set_property_or_value(&element, name, &read().into());
                    None
                }))
            }
            Self::Html(html) => {
                if !matches!(before, Some(AttributeState::Html(before)) if *before == html) {
                    element.set_inner_html(&html);
                }
                AttributeState::Html(html)
            }
            Self::On(listener) => AttributeState::On(listener.attach(element)),
            Self::Reference(load) => {
                load(element);
                AttributeState::Set
            }
        }
    }

    /// Takes over what the server wrote.
    fn take_over(self, element: &types::Element) -> AttributeState {
        match self {
            Self::Fixed(_, value) => AttributeState::Fixed(value),
            Self::Live(name, read) => AttributeState::Live(follow(element, name, read, true)),
            Self::Html(html) => AttributeState::Html(html),
            Self::Property(..) | Self::On(_) | Self::Reference(_) => self.put(element, None),
        }
    }
}

/// Keeps an attribute to its signals.
fn follow(element: &types::Element, name: &'static str, read: Live<Value>, written: bool) -> RenderEffect<Value> {
    let element = element.clone();
    RenderEffect::new(move |before: Option<Value>| {
        let value = read();
        let same = match &before {
            Some(before) => *before == value,
            None => written,
        };
        if !same {
            set(&element, name, &value);
        }
        value
    })
}

fn set(element: &types::Element, name: &str, value: &Value) {
    match value {
        Some(value) => Rndr::set_attribute(element, name, value),
        None => Rndr::remove_attribute(element, name),
    }
}
