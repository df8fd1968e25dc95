//! Text that changes, on pages that a translator rewrites.
//!
//! Translators, Chrome's among them, replace each text node by an element with the translation. A framework that goes on writing
//! to the text node it made then writes to nothing: the page says for ever what it said when it was translated. Here the text
//! knows its element, and moves back into it.

use leptos::{
    attr::any_attribute::AnyAttribute,
    prelude::*,
    tachys::{
        hydration::Cursor,
        no_attrs,
        renderer::{CastFrom, Rndr, types},
        view::{Mountable, Position, PositionState},
    },
};

use super::{Erase, Live};

/// Text that follows its signals. It has to be all that its element holds.
pub(crate) fn words(read: impl Fn() -> String + Send + Sync + 'static) -> AnyView {
    fn shared(read: Live<String>) -> AnyView {
        (move || Words(read())).erase()
    }
    shared(std::sync::Arc::new(read))
}

struct Words(String);

no_attrs!(Words);

struct WordsState {
    node: types::Text,
    /// The element that the text was put into.
    home: Option<types::Element>,
    text: String,
}

fn parent_of(node: &types::Text) -> Option<types::Element> {
    Rndr::get_parent(node.as_ref()).and_then(types::Element::cast_from)
}

impl Render for Words {
    type State = WordsState;

    fn build(self) -> WordsState {
        WordsState { node: Rndr::create_text_node(&self.0), home: None, text: self.0 }
    }

    fn rebuild(self, state: &mut WordsState) {
        if self.0 == state.text {
            return;
        }
        Rndr::set_text(&state.node, &self.0);
        state.text = self.0;
        if let Some(home) = &state.home
            && parent_of(&state.node).as_ref() != Some(home)
        {
            Rndr::clear_children(home);
            Rndr::insert_node(home, state.node.as_ref(), None);
        }
    }
}

impl RenderHtml for Words {
    type AsyncOutput = Self;
    type Owned = Self;

    const MIN_LENGTH: usize = 0;

    fn dry_resolve(&mut self) {}

    async fn resolve(self) -> Self {
        self
    }

    fn html_len(&self) -> usize {
        self.0.len()
    }

    fn to_html_with_buf(
        self,
        buf: &mut String,
        position: &mut Position,
        escape: bool,
        mark_branches: bool,
        extra_attrs: Vec<AnyAttribute>,
    ) {
        self.0.to_html_with_buf(buf, position, escape, mark_branches, extra_attrs);
    }

    fn hydrate<const FROM_SERVER: bool>(self, cursor: &Cursor, position: &PositionState) -> WordsState {
        drop(self.0.as_str().hydrate::<FROM_SERVER>(cursor, position));
        let node = match types::Text::cast_from(cursor.current()) {
            Some(node) => node,
            // The cursor has just stood the text's own hydration.
            None => Rndr::create_text_node(&self.0),
        };
        WordsState { home: parent_of(&node), node, text: self.0 }
    }

    fn into_owned(self) -> Self {
        self
    }
}

impl Mountable for WordsState {
    fn unmount(&mut self) {
        self.node.unmount();
    }

    fn mount(&mut self, parent: &types::Element, marker: Option<&types::Node>) {
        Rndr::insert_node(parent, self.node.as_ref(), marker);
        self.home = Some(parent.clone());
    }

    fn insert_before_this(&self, child: &mut dyn Mountable) -> bool {
        self.node.insert_before_this(child)
    }

    fn elements(&self) -> Vec<types::Element> {
        Vec::new()
    }
}
