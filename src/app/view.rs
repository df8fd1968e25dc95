//! Views whose types end here.
//!
//! In Leptos a view's type names every element and closure inside it, and the compiler writes the code that builds, hydrates and
//! updates it once for each such type. That is fast to run and heavy to load. Here all elements are of one type, [`Tree`], which
//! the macro [`view!`] describes them to, and these functions give all dynamic words, parts and lists the same few types.

use std::sync::{Arc, Mutex};

use leptos::{
    attr::{Attribute, any_attribute::AnyAttribute},
    prelude::*,
    tachys::{hydration::Cursor, ssr::StreamBuilder, view::Position, view::PositionState, view::add_attr::AddAnyAttr},
};
use uuid::Uuid;

mod tree;
mod words;

pub(crate) use netra_view::view;
pub(crate) use tree::Tree;
pub(crate) use words::words;

/// A value that views follow. Leptos reads it anew whenever a signal that it read has changed.
pub(crate) type Live<T> = Arc<dyn Fn() -> T + Send + Sync>;

/// An attribute's value that follows its signals. For text see [`words`].
pub(crate) fn live<T: 'static>(read: impl Fn() -> T + Send + Sync + 'static) -> Live<T> {
    Arc::new(read)
}

/// A part of the page that is made anew whenever its signals change.
pub(crate) fn part(view: impl FnMut() -> AnyView + Send + 'static) -> AnyView {
    let view: Arc<Mutex<dyn FnMut() -> AnyView + Send>> = Arc::new(Mutex::new(view));
    view.erase()
}

/// A part of the page that is there while a condition holds. It is made anew only when the condition changes.
pub(crate) fn when(
    condition: impl Fn() -> bool + Send + Sync + 'static,
    view: impl Fn() -> AnyView + Send + Sync + 'static,
) -> AnyView {
    let condition = memo(condition);
    part(move || if condition.get() { view() } else { ().erase() })
}

/// A value made anew only when a signal that it reads has changed.
pub(crate) fn memo<T: PartialEq + Send + Sync + 'static>(read: impl Fn() -> T + Send + Sync + 'static) -> Memo<T> {
    fn shared<T: PartialEq + Send + Sync + 'static>(read: Live<T>) -> Memo<T> {
        Memo::new(move |_| read())
    }
    shared(Arc::new(read))
}

/// Something that is done in the browser, now and whenever a signal that it reads has changed.
pub(crate) fn effect(act: impl FnMut() + 'static) {
    fn shared(mut act: Box<dyn FnMut()>) {
        Effect::new(move |_| act());
    }
    shared(Box::new(act));
}

/// What tells rows of one list apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// Its place.
    At(usize),
    /// Its id, and what else makes it another row.
    Id(Uuid, &'static str),
    /// Its name.
    Name(String),
}

/// A row of a list.
pub(crate) struct Row {
    key: Key,
    view: Box<dyn FnOnce() -> AnyView + Send>,
}

impl Row {
    /// A row. `view` is called once for as long as the key stays in the list.
    pub(crate) fn new(key: Key, view: impl FnOnce() -> AnyView + Send + 'static) -> Self {
        Self { key, view: Box::new(view) }
    }
}

/// A list whose rows stay as long as their keys do.
pub(crate) fn list(rows: impl Fn() -> Vec<Row> + Send + Sync + 'static) -> AnyView {
    fn keyed(rows: Live<Vec<Row>>) -> AnyView {
        view! { <For each=move || rows() key=|row| row.key.clone() children=|row| (row.view)() /> }.erase()
    }
    keyed(Arc::new(rows))
}

/// Gives a view the one type of all erased views.
pub(crate) trait Erase {
    /// The view, erased.
    fn erase(self) -> AnyView;
}

impl<T: IntoView + 'static> Erase for T {
    fn erase(self) -> AnyView {
        Whole(self.into_view()).into_any()
    }
}

/// A view that is hydrated in one go. What a page needs is here before it is drawn, so nothing in it has to wait; without this, each
/// erased view would bring the code of a second, asynchronous hydration of everything inside it.
struct Whole<T>(T);

impl<T: Render> Render for Whole<T> {
    type State = T::State;

    fn build(self) -> Self::State {
        self.0.build()
    }

    fn rebuild(self, state: &mut Self::State) {
        self.0.rebuild(state);
    }
}

impl<T: AddAnyAttr> AddAnyAttr for Whole<T> {
    type Output<A: Attribute> = Whole<T::Output<A>>;

    fn add_any_attr<A: Attribute>(self, attr: A) -> Self::Output<A>
    where
        Self::Output<A>: RenderHtml,
    {
        Whole(self.0.add_any_attr(attr))
    }
}

impl<T: RenderHtml> RenderHtml for Whole<T> {
    type AsyncOutput = Whole<T::AsyncOutput>;
    type Owned = Whole<T::Owned>;

    const MIN_LENGTH: usize = T::MIN_LENGTH;
    const EXISTS: bool = T::EXISTS;

    fn dry_resolve(&mut self) {
        self.0.dry_resolve();
    }

    async fn resolve(self) -> Self::AsyncOutput {
        Whole(self.0.resolve().await)
    }

    fn html_len(&self) -> usize {
        self.0.html_len()
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

    fn to_html_async_with_buf<const OUT_OF_ORDER: bool>(
        self,
        buf: &mut StreamBuilder,
        position: &mut Position,
        escape: bool,
        mark_branches: bool,
        extra_attrs: Vec<AnyAttribute>,
    ) where
        Self: Sized,
    {
        self.0.to_html_async_with_buf::<OUT_OF_ORDER>(buf, position, escape, mark_branches, extra_attrs);
    }

    fn hydrate<const FROM_SERVER: bool>(self, cursor: &Cursor, position: &PositionState) -> Self::State {
        self.0.hydrate::<FROM_SERVER>(cursor, position)
    }

    #[allow(clippy::manual_async_fn)]
    fn hydrate_async(self, _: &Cursor, _: &PositionState) -> impl Future<Output = Self::State> {
        async { unreachable!("only pages that load code on demand hydrate asynchronously") }
    }

    fn into_owned(self) -> Self::Owned {
        Whole(self.0.into_owned())
    }
}
