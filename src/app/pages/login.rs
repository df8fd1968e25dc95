//! Signing in.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::app::{
    api::{DevLogin, Login, Register, reason},
    components::Mark,
    store::use_store,
    view::{Erase, effect, live, memo, part, when},
};

/// The page. Forms work before the page is alive, too: they post to the same functions.
#[component]
pub(crate) fn LoginPage() -> impl IntoView {
    let modes = use_store().discovery.get_untracked().auth.modes;
    let has = |name: &str| modes.iter().any(|mode| mode == name);
    let (dev, password) = (has("dev"), has("password"));
    let query = use_query_map();
    let registering = memo(move || query.with(|query| query.get("mode").as_deref() == Some("register")));
    let title = move || if registering.get() { "Create an account" } else { "Sign in" };
    view! {
        <Title text=title />
        <main class="auth">
            <div class="auth-card">
                <span class="brand">
                    <Mark />
                    <span>"Netra"</span>
                </span>
                <h1 class="auth-title">{live(title)}</h1>
                {part(move || match (password, registering.get()) {
                    (true, true) => view! { <RegisterForm /> }.erase(),
                    (true, false) => view! { <LoginForm /> }.erase(),
                    (false, _) => ().erase(),
                })}
                {when(move || dev, || view! { <DevForm /> }.erase())}
            </div>
        </main>
    }
    .erase()
}

/// Goes to the chat with a fresh page once signed in: it carries what the signed-in user needs.
fn enter_when_done<T: Send + Sync + 'static>(done: Signal<Option<Result<T, ServerFnError>>>) {
    effect(move || {
        if done.with(|done| matches!(done, Some(Ok(_)))) && window().location().assign("/").is_err() {
            leptos::logging::error!("the chat cannot be opened");
        }
    });
}

#[component]
fn FormError<T: Send + Sync + 'static>(done: Signal<Option<Result<T, ServerFnError>>>) -> impl IntoView {
    part(move || {
        let words = done.with(|done| match done {
            Some(Err(error)) => Some(reason(error)),
            Some(Ok(_)) | None => None,
        });
        match words {
            Some(words) => view! { <p class="form-error" role="alert">{words}</p> }.erase(),
            None => ().erase(),
        }
    })
}

#[component]
fn LoginForm() -> impl IntoView {
    let action = ServerAction::<Login>::new();
    let done = Signal::from(action.value());
    enter_when_done(done);
    view! {
        <ActionForm action attr:class="auth-form">
            <label class="field">
                <span class="field-label">"Email"</span>
                <input type="email" name="email" autocomplete="username" required />
            </label>
            <label class="field">
                <span class="field-label">"Password"</span>
                <input type="password" name="password" autocomplete="current-password" required />
            </label>
            <button type="submit" class="button primary" disabled=live(move || action.pending().get())>
                "Sign in"
            </button>
        </ActionForm>
        <FormError done />
        <div class="auth-alt">
            <a href="/login?mode=register">"Create an account"</a>
        </div>
    }
    .erase()
}

#[component]
fn RegisterForm() -> impl IntoView {
    let action = ServerAction::<Register>::new();
    let done = Signal::from(action.value());
    enter_when_done(done);
    view! {
        <ActionForm action attr:class="auth-form">
            <label class="field">
                <span class="field-label">"Name"</span>
                <input type="text" name="name" autocomplete="name" maxlength="100" />
            </label>
            <label class="field">
                <span class="field-label">"Email"</span>
                <input type="email" name="email" autocomplete="username" required />
            </label>
            <label class="field">
                <span class="field-label">"Password"</span>
                <input type="password" name="password" autocomplete="new-password" minlength="8" required />
            </label>
            <button type="submit" class="button primary" disabled=live(move || action.pending().get())>
                "Create account"
            </button>
        </ActionForm>
        <FormError done />
        <div class="auth-alt">
            <a href="/login">"Sign in instead"</a>
        </div>
    }
    .erase()
}

#[component]
fn DevForm() -> impl IntoView {
    let action = ServerAction::<DevLogin>::new();
    let done = Signal::from(action.value());
    enter_when_done(done);
    view! {
        <div class="auth-alt">
            <ActionForm action>
                <button type="submit" class="button" disabled=live(move || action.pending().get())>
                    "Continue as developer"
                </button>
            </ActionForm>
            <FormError done />
        </div>
    }
    .erase()
}
