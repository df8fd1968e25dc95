//! The browser's notifications, for those who ask for them.

/// Whether the page may show them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    /// It may.
    Granted,
    /// It may not, and the browser does not ask again.
    Denied,
    /// The reader was not asked.
    Unasked,
    /// This browser has none, or not for this address.
    Missing,
}

#[cfg(feature = "hydrate")]
pub(crate) use browser::show;
pub(crate) use browser::{ask, permission};

#[cfg(feature = "hydrate")]
mod browser {
    use js_sys::{Array, Function, Object, Promise, Reflect};
    use leptos::prelude::window;
    use wasm_bindgen::{JsCast, JsValue, closure::Closure};
    use wasm_bindgen_futures::JsFuture;

    use super::Permission;

    fn class() -> Option<Function> {
        Reflect::get(&window(), &"Notification".into()).ok()?.dyn_into().ok()
    }

    /// Whether the page may show them now.
    pub(crate) fn permission() -> Permission {
        let said = class().and_then(|class| Reflect::get(&class, &"permission".into()).ok()?.as_string());
        match said.as_deref() {
            Some("granted") => Permission::Granted,
            Some("denied") => Permission::Denied,
            Some(_) => Permission::Unasked,
            None => Permission::Missing,
        }
    }

    /// Has the browser ask its reader. To be called from a press alone: others are refused by browsers, and rightly.
    pub(crate) async fn ask() -> Permission {
        let asked = class().and_then(|class| {
            let ask: Function = Reflect::get(&class, &"requestPermission".into()).ok()?.dyn_into().ok()?;
            ask.call0(&class).ok()?.dyn_into::<Promise>().ok()
        });
        if let Some(asked) = asked {
            let _ = JsFuture::from(asked).await;
        }
        permission()
    }

    /// Shows one, in place of the one with the same tag; a press on it comes back to this tab.
    pub(crate) fn show(title: &str, words: &str, tag: &str, pressed: impl FnOnce() + 'static) {
        let Some(class) = class().filter(|_| permission() == Permission::Granted) else { return };
        let options = Object::new();
        for (name, value) in [("body", words), ("tag", tag), ("icon", "/icon-192.png")] {
            let _ = Reflect::set(&options, &name.into(), &value.into());
        }
        let Ok(shown) = Reflect::construct(&class, &Array::of2(&title.into(), &options)) else { return };
        let pressed = Closure::once_into_js(move || {
            let _ = window().focus();
            pressed();
        });
        let _ = Reflect::set(&shown, &JsValue::from_str("onclick"), &pressed);
    }
}

/// Pages that are rendered by the server tell nobody.
#[cfg(not(feature = "hydrate"))]
mod browser {
    use super::Permission;

    pub(crate) fn permission() -> Permission {
        Permission::Missing
    }

    pub(crate) async fn ask() -> Permission {
        std::future::ready(Permission::Missing).await
    }
}
