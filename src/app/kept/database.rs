//! One table of texts in `IndexedDB`, written so that what is said to be kept survives a crash of browser and machine.
//!
//! `localStorage` would be simpler, but Chromium writes it up to a minute later. Here a write is answered when the disk has it
//! (`durability: "strict"`). Transactions on one table are carried out in the order in which they were asked for.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use js_sys::{Array, Function, Object, Promise, Reflect};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Event, IdbDatabase, IdbKeyRange, IdbObjectStore, IdbOpenDbRequest, IdbRequest, IdbTransaction};

use crate::app::within::within;

const NAME: &str = "netra";
const TABLE: &str = "kept";

/// How long the browser may take to open its storage, or to write.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is said of a fault that may pass.
const FAILED: &str = "its storage failed";

/// Why nothing is kept, for people.
pub(super) type Trouble = String;

thread_local! {
    static OPEN: RefCell<Option<Promise>> = const { RefCell::new(None) };
    static LOST: ArcTrigger = ArcTrigger::new();
    /// Nothing is written any more.
    static RESTS: Cell<bool> = const { Cell::new(false) };
}

/// Tells whoever tracks it that all that was kept is gone: the storage was cleared under the open page.
pub(super) fn lost() -> ArcTrigger {
    LOST.with(Clone::clone)
}

/// Stops writing, or goes on with it.
pub(super) fn rest(rests: bool) {
    RESTS.set(rests);
}

/// Whether writing is stopped.
pub(super) fn rests() -> bool {
    RESTS.get()
}

/// All entries whose key begins with `prefix`, by key.
pub(super) async fn entries(prefix: &str) -> Result<Vec<(String, String)>, Trouble> {
    let table = table("readonly").await?;
    // Every key that begins with the prefix sorts before the prefix with the last of all characters after it.
    let range = IdbKeyRange::bound(&prefix.into(), &format!("{prefix}\u{ffff}").into()).map_err(trouble)?;
    let keys = table.get_all_keys_with_key(&range).map_err(trouble)?;
    let values = table.get_all_with_key(&range).map_err(trouble)?;
    // Requests of a transaction are answered in order.
    patiently(&answered(&values)).await?;
    let read = |request: &IdbRequest| -> Result<Vec<String>, Trouble> {
        let list: Array = request.result().map_err(trouble)?.unchecked_into();
        Ok(list.iter().map(|text| text.as_string().unwrap_or_default()).collect())
    };
    Ok(read(&keys)?.into_iter().zip(read(&values)?).collect())
}

/// Writes and removes entries, all or none; returns once they are on the disk. A storage that is being cleared gives up what is
/// written meanwhile, and takes it a moment later.
pub(super) async fn write(changes: &[(String, Option<String>)]) -> Result<(), Trouble> {
    for pause in [300, 1_500] {
        match attempt(changes).await {
            Err(why) if why.starts_with(FAILED) => {
                forget();
                let _ = within(Duration::from_millis(pause), std::future::pending::<()>()).await;
            }
            outcome => return outcome,
        }
    }
    attempt(changes).await
}

async fn attempt(changes: &[(String, Option<String>)]) -> Result<(), Trouble> {
    if RESTS.get() {
        return Ok(());
    }
    let table = table("readwrite").await?;
    for (key, text) in changes {
        match text {
            Some(text) => table.put_with_key(&text.into(), &key.into()),
            None => table.delete(&key.into()),
        }
        .map_err(trouble)?;
    }
    let transaction = table.transaction();
    let done = Promise::new(&mut |resolve, reject| {
        transaction.set_oncomplete(Some(&resolve));
        transaction.set_onabort(Some(&reject));
    });
    patiently(&done).await.map_err(|why| match transaction.error() {
        Some(error) => trouble(error.into()),
        None => why,
    })
}

async fn patiently(promise: &Promise) -> Result<(), Trouble> {
    match within(PATIENCE, JsFuture::from(promise.clone())).await {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) => Err(trouble(error)),
        None => Err("its storage does not answer".to_owned()),
    }
}

/// A promise of a request's end.
fn answered(request: &IdbRequest) -> Promise {
    Promise::new(&mut |resolve, reject| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    })
}

/// The table in a transaction of its own. A connection that the browser has closed is opened once more.
async fn table(mode: &str) -> Result<IdbObjectStore, Trouble> {
    let begun = begin(&open().await?, mode);
    let transaction = match begun {
        Ok(transaction) => transaction,
        Err(_) => {
            forget();
            begin(&open().await?, mode).map_err(trouble)?
        }
    };
    transaction.object_store(TABLE).map_err(trouble)
}

/// `web-sys` does not know of durability outside its unstable part.
fn begin(database: &IdbDatabase, mode: &str) -> Result<IdbTransaction, JsValue> {
    let options = Object::new();
    Reflect::set(&options, &"durability".into(), &"strict".into())?;
    let transaction: Function = Reflect::get(database, &"transaction".into())?.dyn_into()?;
    transaction.call3(database, &TABLE.into(), &mode.into(), &options)?.dyn_into()
}

async fn open() -> Result<IdbDatabase, Trouble> {
    let opening = OPEN.with_borrow(Clone::clone);
    let opening = match opening {
        Some(opening) => opening,
        None => {
            let request = ask()?;
            let opening = answered(&request);
            OPEN.set(Some(opening.clone()));
            opening
        }
    };
    let opened = match within(PATIENCE, JsFuture::from(opening)).await {
        Some(Ok(event)) => Ok(event),
        Some(Err(event)) => Err(error_of(&event)),
        None => Err("its storage does not answer".to_owned()),
    };
    match opened.and_then(|event| database_of(&event)) {
        Ok(database) => Ok(database),
        Err(why) => {
            forget();
            Err(why)
        }
    }
}

fn ask() -> Result<IdbOpenDbRequest, Trouble> {
    let factory = window().indexed_db().map_err(trouble)?.ok_or("it stores nothing for this page")?;
    let request = factory.open_with_u32(NAME, 1).map_err(trouble)?;
    let upgrade = Closure::once_into_js(|event: Event| {
        if let Ok(database) = database_of(&event)
            && let Err(error) = database.create_object_store(TABLE)
        {
            leptos::logging::error!("the browser's storage has no room for a table: {}", trouble(error));
        }
    });
    request.set_onupgradeneeded(Some(upgrade.unchecked_ref()));
    Ok(request)
}

fn request_of(event: &JsValue) -> Option<IdbRequest> {
    event.dyn_ref::<Event>()?.target()?.dyn_into().ok()
}

fn database_of(event: &JsValue) -> Result<IdbDatabase, Trouble> {
    let request = request_of(event).ok_or("its storage does not open")?;
    let database: IdbDatabase = request.result().map_err(trouble)?.unchecked_into();
    if database.onclose().is_none() {
        // Both mean that the data may be gone. A connection that stayed open would stand in the way of whoever clears it.
        let gone = Closure::<dyn Fn(Event)>::new(|event: Event| {
            if let Some(database) = event.target().and_then(|target| target.dyn_into::<IdbDatabase>().ok()) {
                database.close();
            }
            forget();
            lost().notify();
        })
        .into_js_value();
        database.set_onclose(Some(gone.unchecked_ref()));
        database.set_onversionchange(Some(gone.unchecked_ref()));
    }
    Ok(database)
}

fn forget() {
    OPEN.set(None);
}

fn error_of(event: &JsValue) -> Trouble {
    let error = request_of(event).and_then(|request| request.error().ok().flatten());
    error.map_or_else(|| trouble(event.clone()), |error| trouble(error.into()))
}

/// What went wrong, for people.
fn trouble(error: JsValue) -> Trouble {
    let name = Reflect::get(&error, &"name".into()).ok().and_then(|name| name.as_string()).unwrap_or_default();
    match name.as_str() {
        "QuotaExceededError" => "its storage is full".to_owned(),
        "SecurityError" | "NotAllowedError" | "InvalidStateError" => {
            "it does not let this page store anything".to_owned()
        }
        "" => FAILED.to_owned(),
        name => format!("{FAILED} ({name})"),
    }
}
