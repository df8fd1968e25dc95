//! Files: those that go with the message that is being written, and those of messages that were sent. What sends and lists them
//! comes when there are any (`apart.rs`).

use leptos::prelude::*;
use netra_ws::{
    ThreadId,
    model::{Attachment, AttachmentRef, MAX_ATTACHMENTS},
};
use uuid::Uuid;

use super::Icon;
use crate::app::{
    apart::{Part, Piece, draw},
    size::size,
    store::AppStore,
    view::{Erase, Key, Row, list, memo, part, view, when, words},
};

/// What has become of a chosen file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "hydrate"), expect(dead_code, reason = "only browsers choose files"))]
enum State {
    /// So many hundredths are at the server.
    Coming(u32),
    /// The server keeps it.
    Kept(Attachment),
    /// It is not kept, for this reason.
    Failed(String),
}

impl State {
    const fn name(&self) -> &'static str {
        match self {
            Self::Coming(_) => "coming",
            Self::Kept(_) => "kept",
            Self::Failed(_) => "failed",
        }
    }
}

/// A file that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Chosen {
    id: Uuid,
    name: String,
    bytes: u64,
    state: State,
}

/// The files of the message that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Files {
    chosen: RwSignal<Vec<Chosen>>,
    /// More than a message takes were chosen.
    too_many: RwSignal<bool>,
}

impl Files {
    /// None.
    pub(super) fn new() -> Self {
        Self { chosen: RwSignal::new(Vec::new()), too_many: RwSignal::new(false) }
    }

    /// Keeps those that are at the server with the thread's draft, over reloads and crashes, and brings them back with it.
    pub(super) fn keep(self, store: &AppStore, thread: Option<ThreadId>) {
        browser::keep(self, store, thread);
    }

    /// Whether there are none.
    pub(super) fn is_empty(self) -> bool {
        self.chosen.with(Vec::is_empty)
    }

    /// Why the message cannot be sent yet; nothing when it can.
    pub(super) fn hindrance(self) -> Option<String> {
        if self.too_many.get() {
            return Some(format!(
                "A message takes {MAX_ATTACHMENTS} files. The others were left out; send them with another one."
            ));
        }
        self.chosen.with(|chosen| {
            let failed = chosen.iter().any(|file| matches!(file.state, State::Failed(_)));
            let coming = chosen.iter().any(|file| matches!(file.state, State::Coming(_)));
            match (failed, coming) {
                (true, _) => Some("A file could not be attached. Remove it, or choose it again.".to_owned()),
                (false, true) => Some("The message can be sent once its files are at the server.".to_owned()),
                (false, false) => None,
            }
        })
    }

    /// Whether all of them are at the server.
    pub(super) fn are_kept(self) -> bool {
        self.chosen.with(|chosen| chosen.iter().all(|file| matches!(file.state, State::Kept(_))))
    }

    /// Takes them out, to be sent.
    pub(super) fn take(self) -> Vec<Attachment> {
        let kept = self.chosen.with_untracked(|chosen| {
            let kept = chosen.iter().filter_map(|file| match &file.state {
                State::Kept(attachment) => Some(attachment.clone()),
                State::Coming(_) | State::Failed(_) => None,
            });
            kept.collect()
        });
        self.chosen.set(Vec::new());
        self.too_many.set(false);
        kept
    }

    fn remove(self, id: Uuid) {
        let mut gone = None;
        self.chosen.update(|chosen| {
            if let Some(at) = chosen.iter().position(|file| file.id == id) {
                gone = Some(chosen.remove(at));
            }
        });
        self.too_many.set(false);
        if let Some(State::Kept(Attachment { id: Some(id), .. })) = gone.map(|file| file.state) {
            browser::take_back(id);
        }
    }

    #[cfg(feature = "hydrate")]
    fn set(self, id: Uuid, state: State) {
        let kept = match &state {
            State::Kept(attachment) => attachment.id,
            State::Coming(_) | State::Failed(_) => None,
        };
        let known = self.chosen.try_update(|chosen| {
            let file = chosen.iter_mut().find(|file| file.id == id);
            let known = file.is_some();
            if let Some(file) = file {
                file.state = state;
            }
            known
        });
        // Removed meanwhile, or with the page that showed it.
        if let (Some(false) | None, Some(kept)) = (known, kept) {
            browser::take_back(kept);
        }
    }

    /// Takes pasted files; whether there were any.
    pub(super) fn pasted(self, event: &leptos::ev::ClipboardEvent) -> bool {
        browser::pasted(self, event)
    }

    /// Takes dropped files; whether there were any.
    pub(super) fn dropped(self, event: &leptos::ev::DragEvent) -> bool {
        browser::dropped(self, event)
    }

    /// The button that chooses files.
    pub(super) fn button(self) -> AnyView {
        let field = NodeRef::<leptos::html::Input>::new();
        view! {
            <input
                type="file"
                class="visually-hidden"
                multiple
                tabindex="-1"
                aria-hidden="true"
                node_ref=field
                on:change=move |_| {
                    if let Some(field) = field.get_untracked() {
                        browser::chosen(self, &field);
                    }
                }
            />
            <button
                type="button"
                class="icon-button attach"
                aria-label="Attach files"
                title="Attach files"
                on:click=move |_| {
                    if let Some(field) = field.get_untracked() {
                        field.click();
                    }
                }
            >
                {Icon::Clip.view()}
            </button>
        }
        .erase()
    }

    /// The files that were chosen.
    pub(super) fn view(self) -> AnyView {
        when(move || !self.is_empty(), move || part(move || draw(Part::Conversation, Piece::Files(self))))
    }

    /// The list of them.
    pub(crate) fn list(self) -> AnyView {
        let rows = move || self.chosen.get().into_iter().map(|file| self.row(file)).collect();
        view! { <ul class="files" aria-label="Files of this message">{list(rows)}</ul> }.erase()
    }

    fn row(self, file: Chosen) -> Row {
        let id = file.id;
        Row::new(Key::Id(id, file.state.name()), move || {
            let state = memo(move || {
                self.chosen.with(|chosen| chosen.iter().find(|file| file.id == id).map(|file| file.state.clone()))
            });
            let said = move || match state.get() {
                Some(State::Coming(hundredths)) => format!("{hundredths} %"),
                Some(State::Failed(why)) => why,
                Some(State::Kept(_)) | None => size(file.bytes),
            };
            let label = format!("Remove {}", file.name);
            view! {
                <li class="file" data-state=file.state.name()>
                    <span class="file-name" dir="auto">{file.name}</span>
                    <span class="file-size" role="status">{words(said)}</span>
                    <button type="button" class="icon-button" aria-label=label.clone() title=label on:click=move |_| self.remove(id)>
                        {Icon::Cross.view()}
                    </button>
                </li>
            }
            .erase()
        })
    }
}

/// Sends what was given, and looks for what was kept.
pub(crate) fn send_given() -> AnyView {
    browser::send_given();
    ().erase()
}

/// The files of a message: pictures as pictures, others as links.
pub(super) fn attached(files: &[Attachment]) -> AnyView {
    if files.is_empty() {
        return ().erase();
    }
    let shown: Vec<AnyView> = files.iter().map(|file| one(file.clone())).collect();
    view! { <ul class="files files-sent" aria-label="Files">{shown}</ul> }.erase()
}

/// The files of a message that is said again, each with a way to leave it out.
pub(super) fn removable(files: RwSignal<Vec<Attachment>>) -> AnyView {
    let row = move |file: Attachment| {
        let id = file.id?;
        let row = Row::new(Key::Id(id.uuid(), "kept"), move || {
            let label = format!("Leave out {}", file.name);
            let remove = move |_| files.update(|files| files.retain(|other| other.id != Some(id)));
            view! {
                <li class="file" data-state="kept">
                    <span class="file-name" dir="auto">{file.name}</span>
                    <span class="file-size">{file.bytes.map(size).unwrap_or_default()}</span>
                    <button type="button" class="icon-button" aria-label=label.clone() title=label on:click=remove>
                        {Icon::Cross.view()}
                    </button>
                </li>
            }
            .erase()
        });
        Some(row)
    };
    let rows = move || files.get().into_iter().filter_map(row).collect();
    let shown = move || view! { <ul class="files" aria-label="Files of this message">{list(rows)}</ul> }.erase();
    when(move || !files.with(Vec::is_empty), shown)
}

/// What is told of the files of a message on its way.
pub(super) fn told(files: &[AttachmentRef]) -> Vec<Attachment> {
    let told = files.iter().filter_map(|file| match file {
        AttachmentRef::Told(told) => Some(told.clone()),
        AttachmentRef::Id(_) => None,
    });
    told.collect()
}

fn one(file: Attachment) -> AnyView {
    let bytes = file.bytes.map(size).unwrap_or_default();
    // A link leads to this server's own files alone, whatever the message says.
    let Some(url) = file.id.map(Attachment::path) else {
        return view! { <li class="file"><span class="file-name" dir="auto">{file.name}</span></li> }.erase();
    };
    let (place, name) = (url.clone(), file.name.clone());
    if file.is_picture() {
        return view! {
            <li class="picture">
                <a href=place target="_blank" rel="noopener external" title=name>
                    <img src=url alt=file.name loading="lazy" decoding="async" />
                </a>
            </li>
        }
        .erase();
    }
    view! {
        <li class="file">
            <a class="file-name" dir="auto" href=url download=name rel="external">
                {file.name}
            </a>
            <span class="file-size">{bytes}</span>
        </li>
    }
    .erase()
}

#[cfg(feature = "hydrate")]
mod browser {
    use std::cell::RefCell;

    use leptos::{
        ev::{ClipboardEvent, DragEvent},
        prelude::*,
    };
    use netra_ws::AttachmentId;
    use serde::Deserialize;
    use uuid::Uuid;
    use wasm_bindgen::{JsCast, closure::Closure};
    use web_sys::{DataTransfer, File, FileList, HtmlInputElement, ProgressEvent, XmlHttpRequest};

    use super::{AppStore, Attachment, Chosen, Files, MAX_ATTACHMENTS, State, ThreadId};
    use crate::app::{
        apart::{Part, Piece, run},
        kept::keep_draft_files,
        view::effect,
    };

    /// What there is to do with a file.
    enum Work {
        Send(File),
        /// The server may have forgotten it.
        LookFor(AttachmentId),
    }

    thread_local! {
        /// What is done once the program for it is here.
        static GIVEN: RefCell<Vec<(Files, Uuid, Work)>> = const { RefCell::new(Vec::new()) };
    }

    fn give(files: Files, id: Uuid, work: Work) {
        GIVEN.with_borrow_mut(|given| given.push((files, id, work)));
        run(Part::Conversation, Piece::Sending, || {
            for (files, id, work) in GIVEN.take() {
                if matches!(work, Work::Send(_)) {
                    let why = "Not attached: the page could not load what sends files. Choose it again.";
                    files.set(id, State::Failed(why.to_owned()));
                }
            }
        });
    }

    pub(super) fn send_given() {
        for (files, id, work) in GIVEN.take() {
            match work {
                Work::Send(file) => upload(files, id, &file),
                Work::LookFor(kept) => look_for(files, id, kept),
            }
        }
    }

    pub(super) fn keep(files: Files, store: &AppStore, thread: Option<ThreadId>) {
        let lines = RwSignal::new(String::new());
        keep_draft_files(store, thread, lines);
        effect(move || {
            for file in lines.get().lines().filter_map(|line| serde_json::from_str::<Attachment>(line).ok()) {
                bring_back(files, file);
            }
        });
        effect(move || {
            let kept = files.chosen.with(|chosen| {
                let kept = chosen.iter().filter_map(|file| match &file.state {
                    State::Kept(attachment) => serde_json::to_string(attachment).ok(),
                    State::Coming(_) | State::Failed(_) => None,
                });
                kept.collect::<Vec<_>>().join("\n")
            });
            if lines.with_untracked(|lines| *lines != kept) {
                lines.set(kept);
            }
        });
    }

    /// Shows a file of the draft again, unless it is shown; the server keeps it for a day.
    fn bring_back(files: Files, file: Attachment) {
        let Some(kept) = file.id else { return };
        let is_shown = |shown: &Chosen| matches!(&shown.state, State::Kept(other) if other.id == Some(kept));
        if files.chosen.with_untracked(|chosen| chosen.iter().any(is_shown)) {
            return;
        }
        let (id, bytes) = (Uuid::now_v7(), file.bytes.unwrap_or_default());
        let chosen = Chosen { id, name: file.name.clone(), bytes, state: State::Kept(file) };
        files.chosen.update(|list| list.push(chosen));
        give(files, id, Work::LookFor(kept));
    }

    fn look_for(files: Files, id: Uuid, kept: AttachmentId) {
        let Ok(request) = XmlHttpRequest::new() else { return };
        if request.open("HEAD", &Attachment::path(kept)).is_err() {
            return;
        }
        let answered = request.clone();
        let done = Closure::once_into_js(move || {
            if answered.status().is_ok_and(|status| status == 404) {
                files.set(id, State::Failed("The server no longer has it; choose it again.".to_owned()));
            }
        });
        request.set_onloadend(Some(done.unchecked_ref()));
        let _ = request.send();
    }

    pub(super) fn chosen(files: Files, field: &HtmlInputElement) {
        add(files, field.files());
        // The same file can be chosen again.
        field.set_value("");
    }

    pub(super) fn pasted(files: Files, event: &ClipboardEvent) -> bool {
        moved(files, event.clipboard_data())
    }

    pub(super) fn dropped(files: Files, event: &DragEvent) -> bool {
        moved(files, event.data_transfer())
    }

    fn moved(files: Files, data: Option<DataTransfer>) -> bool {
        add(files, data.and_then(|data| data.files()))
    }

    fn add(files: Files, list: Option<FileList>) -> bool {
        let Some(list) = list else { return false };
        let given: Vec<File> = (0..list.length()).filter_map(|at| list.item(at)).collect();
        let any = !given.is_empty();
        let room = MAX_ATTACHMENTS.saturating_sub(files.chosen.try_with_untracked(Vec::len).unwrap_or(MAX_ATTACHMENTS));
        files.too_many.set(given.len() > room);
        for file in given.into_iter().take(room) {
            let id = Uuid::now_v7();
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size is a whole number")]
            let bytes = file.size() as u64;
            let chosen = Chosen { id, name: file.name(), bytes, state: State::Coming(0) };
            files.chosen.update(|list| list.push(chosen));
            give(files, id, Work::Send(file));
        }
        any
    }

    #[derive(Deserialize)]
    struct Uploaded {
        attachment: Attachment,
    }

    /// Sends a file; `fetch` does not tell how far an upload is.
    fn upload(files: Files, id: Uuid, file: &File) {
        let failed = move |why: &str| files.set(id, State::Failed(format!("Not attached: {why}.")));
        let Ok(request) = XmlHttpRequest::new() else { return failed("this browser does not send files") };
        let name = String::from(js_sys::encode_uri_component(&file.name()));
        if request.open("POST", &format!("/api/attachments?name={name}")).is_err() {
            return failed("the server does not answer");
        }
        let progress = Closure::<dyn Fn(ProgressEvent)>::new(move |event: ProgressEvent| {
            if event.length_computable() && event.total() > 0.0 {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 99")]
                let hundredths = (event.loaded() / event.total() * 99.0) as u32;
                files.set(id, State::Coming(hundredths));
            }
        });
        if let Ok(upload) = request.upload() {
            upload.set_onprogress(Some(progress.into_js_value().unchecked_ref()));
        }
        let answered = request.clone();
        let done = Closure::once_into_js(move || {
            let text = answered.response_text().ok().flatten().unwrap_or_default();
            let status = answered.status().unwrap_or_default();
            let uploaded = serde_json::from_str::<Uploaded>(&text).ok().filter(|_| (200..300).contains(&status));
            match uploaded {
                Some(Uploaded { attachment }) => files.set(id, State::Kept(attachment)),
                None if status == 0 => {
                    failed("the server does not answer; choose it again when the connection is back");
                }
                None => failed(&crate::app::fetch::reason(&text)),
            }
        });
        // Whatever it ends with.
        request.set_onloadend(Some(done.unchecked_ref()));
        if request.send_with_opt_blob(Some(file)).is_err() {
            failed("the file cannot be read");
        }
    }

    /// Has the server forget a file that is not sent. Should that fail, the server forgets it in a day.
    pub(super) fn take_back(id: AttachmentId) {
        let Ok(request) = XmlHttpRequest::new() else { return };
        if request.open("DELETE", &Attachment::path(id)).is_ok() {
            let _ = request.send();
        }
    }
}

/// Pages that are rendered by the server choose no files.
#[cfg(not(feature = "hydrate"))]
mod browser {
    use leptos::ev::{ClipboardEvent, DragEvent};
    use netra_ws::AttachmentId;

    use super::{AppStore, Files, ThreadId};

    pub(super) fn keep(_: Files, _: &AppStore, _: Option<ThreadId>) {}

    pub(super) fn chosen<T>(_: Files, _: &T) {}

    pub(super) fn pasted(_: Files, _: &ClipboardEvent) -> bool {
        false
    }

    pub(super) fn dropped(_: Files, _: &DragEvent) -> bool {
        false
    }

    pub(super) fn take_back(_: AttachmentId) {}

    pub(super) fn send_given() {}
}
