//! Gives the reader a file that was made in the page.

#[cfg(feature = "hydrate")]
pub(super) fn save(name: &str, text: &str) {
    use leptos::prelude::*;
    use wasm_bindgen::{JsCast, JsValue};
    use web_sys::{Blob, HtmlAnchorElement};

    let parts = js_sys::Array::of1(&JsValue::from_str(text));
    let Ok(blob) = Blob::new_with_str_sequence(&parts) else { return };
    let Ok(urls) = js_sys::Reflect::get(&window(), &"URL".into()) else { return };
    let call = |function: &str, argument: &JsValue| {
        let function: js_sys::Function = js_sys::Reflect::get(&urls, &function.into()).ok()?.dyn_into().ok()?;
        function.call1(&urls, argument).ok()
    };
    let Some(address) = call("createObjectURL", &blob) else { return };
    let link = document().create_element("a").ok().and_then(|link| link.dyn_into::<HtmlAnchorElement>().ok());
    if let (Some(link), Some(href)) = (link, address.as_string()) {
        link.set_href(&href);
        link.set_download(name);
        link.click();
    }
    // The browser has begun to read it by the next task.
    let release = js_sys::Reflect::get(&urls, &"revokeObjectURL".into()).ok();
    set_timeout(
        move || {
            if let Some(release) = release.and_then(|release| release.dyn_into::<js_sys::Function>().ok()) {
                let _ = release.call1(&urls, &address);
            }
        },
        std::time::Duration::from_secs(10),
    );
}

#[cfg(not(feature = "hydrate"))]
pub(super) fn save(_: &str, _: &str) {}
