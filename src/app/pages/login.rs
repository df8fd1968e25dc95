//! Signing in.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::{hooks::use_query_map, params::ParamsMap};

use crate::app::{
    api::{ConfirmAddress, DevLogin, Forgot, Login, Register, ResetPassword, reason},
    components::Mark,
    next,
    store::use_store,
    view::{Erase, Live, effect, live, memo, part, when},
};

/// The page. Forms work before the page is alive, too: they post to the same functions.
#[component]
pub(crate) fn LoginPage() -> impl IntoView {
    let modes = use_store().discovery.get_untracked().auth.modes;
    let has = |name: &str| modes.iter().any(|mode| mode == name);
    let (dev, password, provider) = (has("dev"), has("password"), has("oidc"));
    let query = use_query_map();
    let mode = memo(move || query.with(|query| query.get("mode")).unwrap_or_default());
    let title = move || match mode.get().as_str() {
        "register" => "Create an account",
        "reset" => "Set a new password",
        "forgot" => "Forgotten password",
        "confirm" => "Confirm your address",
        _ => "Sign in",
    };
    view! {
        <Title text=title />
        <main class="auth">
            <div class="auth-card">
                <span class="brand">
                    <Mark />
                    <span>"Netra"</span>
                </span>
                <h1 class="auth-title">{live(title)}</h1>
                {part(move || match query.with(refusal) {
                    Some(words) => view! { <p class="form-error" role="alert">{words}</p> }.erase(),
                    None => ().erase(),
                })}
                {part(move || match (password, mode.get().as_str()) {
                    (true, "register") => view! { <RegisterForm /> }.erase(),
                    (true, "reset") => view! { <ResetForm /> }.erase(),
                    (true, "forgot") => view! { <ForgotForm /> }.erase(),
                    (true, "confirm") => view! { <ConfirmForm /> }.erase(),
                    (true, _) => view! { <LoginForm /> }.erase(),
                    (false, _) => ().erase(),
                })}
                {when(move || provider, || view! { <ProviderLink /> }.erase())}
                {when(move || dev, || view! { <DevForm /> }.erase())}
            </div>
        </main>
    }
    .erase()
}

/// Goes where the user wanted to with a fresh page once signed in: it carries what the signed-in user needs.
fn enter_when_done<T: Send + Sync + 'static>(done: Signal<Option<Result<T, ServerFnError>>>) {
    let wanted = wanted();
    effect(move || {
        if done.with(|done| matches!(done, Some(Ok(_)))) && window().location().assign(&wanted()).is_err() {
            leptos::logging::error!("the chat cannot be opened");
        }
    });
}

/// What a form without scripts is told about its last try. The address carries a status and no words: anyone can write one.
fn sentence(status: &str) -> Option<&'static str> {
    match status {
        "401" => Some("the e-mail address or the password is wrong"),
        "403" => Some("that is closed here, or the invitation was used already"),
        "404" => Some("this link was used already, or its time is over"),
        "409" => Some("there is an account with this e-mail address already"),
        "429" => Some("too many tries; wait a little"),
        "400" => Some("the address, the name or the password cannot be used"),
        "500" | "503" => Some("something broke on the server; try again"),
        _ => None,
    }
}

/// The same for somebody who comes back from the provider of identities.
fn provider_sentence(status: &str) -> &'static str {
    match status {
        "401" => "the sign-in service said nothing that can be believed; sign in again",
        "403" => {
            "you are not let in here: your address is not verified, your groups are others, or your account is disabled"
        }
        "409" => "there is an account with this e-mail address already; sign in again",
        "429" => "too many tries; wait a little",
        "503" => "the sign-in service does not answer; try again",
        _ => "something broke on the server; try again",
    }
}

/// What the address says of the last try.
fn refusal(query: &ParamsMap) -> Option<&'static str> {
    let status = query.get("refused")?;
    match query.get("by").as_deref() {
        Some("provider") => Some(provider_sentence(&status)),
        Some(_) | None => sentence(&status),
    }
}

/// Where the user was on the way to.
fn wanted() -> impl Fn() -> String {
    let query = use_query_map();
    move || next::accept(query.with_untracked(|query| query.get(next::NAME)).as_deref()).to_owned()
}

/// The other form, with the way kept.
fn other_form(mode: &'static str) -> Live<String> {
    let query = use_query_map();
    live(move || next::login(mode, &query.with(|query| query.get(next::NAME)).unwrap_or_default()))
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
    let mail = use_store().sends_mail();
    let registration = use_store().discovery.get_untracked().auth.registration;
    let open = registration.is_none_or(|mode| mode == "open");
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
            // Also for browsers without scripts, so it is always there.
            <details class="auth-code">
                <summary>"I have a second factor"</summary>
                <label class="field">
                    <span class="field-label">"Code of your app, or a recovery code"</span>
                    <input type="text" name="code" autocomplete="one-time-code" />
                </label>
            </details>
            <button type="submit" class="button primary" disabled=live(move || action.pending().get())>
                "Sign in"
            </button>
        </ActionForm>
        <FormError done />
        {when(
            move || mail,
            move || {
                view! {
                    <div class="auth-alt">
                        <a href="/login?mode=forgot">"Forgotten password"</a>
                    </div>
                }
                .erase()
            },
        )}
        {when(
            move || open,
            move || {
                view! {
                    <div class="auth-alt">
                        <a href=other_form("mode=register")>"Create an account"</a>
                    </div>
                }
                .erase()
            },
        )}
    }
    .erase()
}

#[component]
fn RegisterForm() -> impl IntoView {
    let invitation = use_query_map().with_untracked(|query| query.get("invitation")).unwrap_or_default();
    let action = ServerAction::<Register>::new();
    let done = Signal::from(action.value());
    enter_when_done(done);
    view! {
        <ActionForm action attr:class="auth-form">
            <input type="hidden" name="invitation" value=invitation />
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
            <a href=other_form("")>"Sign in instead"</a>
        </div>
    }
    .erase()
}

#[component]
fn ResetForm() -> impl IntoView {
    let link = use_query_map().with_untracked(|query| query.get("link")).unwrap_or_default();
    let action = ServerAction::<ResetPassword>::new();
    let done = Signal::from(action.value());
    let changed = memo(move || done.with(|done| matches!(done, Some(Ok(())))));
    view! {
        <ActionForm action attr:class="auth-form">
            <input type="hidden" name="link" value=link />
            <label class="field">
                <span class="field-label">"New password"</span>
                <input type="password" name="password" autocomplete="new-password" minlength="8" required />
            </label>
            <button type="submit" class="button primary" disabled=live(move || action.pending().get())>
                "Set password"
            </button>
        </ActionForm>
        <FormError done />
        {when(move || changed.get(), || view! { <p role="status">"Your password is set. Sign in with it."</p> }.erase())}
        <div class="auth-alt">
            <a href="/login">"Sign in"</a>
        </div>
    }
    .erase()
}

#[component]
fn ForgotForm() -> impl IntoView {
    let action = ServerAction::<Forgot>::new();
    let done = Signal::from(action.value());
    let sent = memo(move || done.with(|done| matches!(done, Some(Ok(())))));
    view! {
        <ActionForm action attr:class="auth-form">
            <label class="field">
                <span class="field-label">"Email"</span>
                <input type="email" name="email" autocomplete="username" required />
            </label>
            <button type="submit" class="button primary" disabled=live(move || action.pending().get())>
                "Send a link"
            </button>
        </ActionForm>
        <FormError done />
        {when(
            move || sent.get(),
            || view! { <p role="status">"If there is an account with this address, a link is on its way."</p> }.erase(),
        )}
        <div class="auth-alt">
            <a href="/login">"Sign in"</a>
        </div>
    }
    .erase()
}

/// A link that is opened changes nothing by itself: mail programs open links, too.
#[component]
fn ConfirmForm() -> impl IntoView {
    let link = use_query_map().with_untracked(|query| query.get("link")).unwrap_or_default();
    let action = ServerAction::<ConfirmAddress>::new();
    let done = Signal::from(action.value());
    let confirmed = memo(move || done.with(|done| matches!(done, Some(Ok(())))));
    view! {
        <ActionForm action attr:class="auth-form">
            <input type="hidden" name="link" value=link />
            <button type="submit" class="button primary" disabled=live(move || action.pending().get())>
                "This address is mine"
            </button>
        </ActionForm>
        <FormError done />
        {when(
            move || confirmed.get(),
            || view! { <p role="status">"Your address is confirmed."</p> }.erase(),
        )}
        <div class="auth-alt">
            <a href="/">"To the chat"</a>
        </div>
    }
    .erase()
}

/// To the provider of identities: an address of the server that leads there.
#[component]
fn ProviderLink() -> impl IntoView {
    let query = use_query_map();
    let address = move || {
        let wanted = query.with(|query| query.get(next::NAME)).unwrap_or_default();
        next::login("", &wanted).replacen("/login", "/api/auth/oidc/start", 1)
    };
    view! {
        <div class="auth-alt">
            <a class="button" href=live(address) rel="external">
                "Sign in with your organisation"
            </a>
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
