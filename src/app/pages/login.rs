//! Signing in.

use leptos::{ev::SubmitEvent, prelude::*, task::spawn_local};
use leptos_meta::Title;

use crate::app::{
    address::{Address, use_address},
    api::reason,
    call,
    components::Mark,
    next,
    store::use_store,
    view::{Erase, Live, effect, live, memo, part, view, when},
};

/// The page. Forms work before the page is alive, too: they post to the same functions.
#[component]
pub(crate) fn LoginPage() -> impl IntoView {
    let modes = use_store().discovery.get_untracked().auth.modes;
    let has = |name: &str| modes.iter().any(|mode| mode == name);
    let (dev, password, provider) = (has("dev"), has("password"), has("oidc"));
    let address = use_address();
    let mode = memo(move || address.parameter("mode").unwrap_or_default());
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
                {part(move || match refusal(address) {
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

/// A form that is sent without leaving the page.
#[derive(Clone, Copy)]
struct Sent {
    busy: RwSignal<bool>,
    /// What the last try came to.
    outcome: RwSignal<Option<Result<(), String>>>,
}

impl Sent {
    fn new() -> Self {
        Self { busy: RwSignal::new(false), outcome: RwSignal::new(None) }
    }

    fn send(self, event: &SubmitEvent) {
        event.prevent_default();
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        let answer = call::submit(event);
        spawn_local(async move {
            let outcome = answer.await.map_err(|error| reason(&error));
            let _ = self.busy.try_set(false);
            let _ = self.outcome.try_set(Some(outcome));
        });
    }

    fn succeeded(self) -> bool {
        self.outcome.with(|outcome| matches!(outcome, Some(Ok(()))))
    }

    /// Goes where the user wanted to with a fresh page once signed in: it carries what the signed-in user needs.
    fn then_enter(self) {
        let wanted = wanted();
        effect(move || {
            if self.succeeded() && window().location().assign(&wanted()).is_err() {
                leptos::logging::error!("the chat cannot be opened");
            }
        });
    }

    /// Why the last try failed.
    fn failure(self) -> AnyView {
        part(move || match self.outcome.get() {
            Some(Err(words)) => view! { <p class="form-error" role="alert">{words}</p> }.erase(),
            Some(Ok(())) | None => ().erase(),
        })
    }
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
fn refusal(address: Address) -> Option<&'static str> {
    let status = address.parameter("refused")?;
    match address.parameter("by").as_deref() {
        Some("provider") => Some(provider_sentence(&status)),
        Some(_) | None => sentence(&status),
    }
}

/// Where the user was on the way to.
fn wanted() -> impl Fn() -> String {
    let address = use_address();
    move || next::accept(untrack(|| address.parameter(next::NAME)).as_deref()).to_owned()
}

/// The other form, with the way kept.
fn other_form(mode: &'static str) -> Live<String> {
    let address = use_address();
    live(move || next::login(mode, &address.parameter(next::NAME).unwrap_or_default()))
}

#[component]
fn LoginForm() -> impl IntoView {
    let mail = use_store().sends_mail();
    let registration = use_store().discovery.get_untracked().auth.registration;
    let open = registration.is_none_or(|mode| mode == "open");
    let sent = Sent::new();
    sent.then_enter();
    view! {
        <form class="auth-form" method="post" action="/fn/login" on:submit=move |event| sent.send(&event)>
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
            <button type="submit" class="button primary" disabled=live(move || sent.busy.get())>
                "Sign in"
            </button>
        </form>
        {sent.failure()}
        {when(
            move || mail,
            || {
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
    let invitation = untrack(|| use_address().parameter("invitation")).unwrap_or_default();
    let sent = Sent::new();
    sent.then_enter();
    view! {
        <form class="auth-form" method="post" action="/fn/register" on:submit=move |event| sent.send(&event)>
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
            <button type="submit" class="button primary" disabled=live(move || sent.busy.get())>
                "Create account"
            </button>
        </form>
        {sent.failure()}
        <div class="auth-alt">
            <a href=other_form("")>"Sign in instead"</a>
        </div>
    }
    .erase()
}

#[component]
fn ResetForm() -> impl IntoView {
    let link = untrack(|| use_address().parameter("link")).unwrap_or_default();
    let sent = Sent::new();
    let changed = memo(move || sent.succeeded());
    view! {
        <form class="auth-form" method="post" action="/fn/reset" on:submit=move |event| sent.send(&event)>
            <input type="hidden" name="link" value=link />
            <label class="field">
                <span class="field-label">"New password"</span>
                <input type="password" name="password" autocomplete="new-password" minlength="8" required />
            </label>
            <button type="submit" class="button primary" disabled=live(move || sent.busy.get())>
                "Set password"
            </button>
        </form>
        {sent.failure()}
        {when(move || changed.get(), || view! { <p role="status">"Your password is set. Sign in with it."</p> }.erase())}
        <div class="auth-alt">
            <a href="/login">"Sign in"</a>
        </div>
    }
    .erase()
}

#[component]
fn ForgotForm() -> impl IntoView {
    let sent = Sent::new();
    let asked = memo(move || sent.succeeded());
    view! {
        <form class="auth-form" method="post" action="/fn/forgot" on:submit=move |event| sent.send(&event)>
            <label class="field">
                <span class="field-label">"Email"</span>
                <input type="email" name="email" autocomplete="username" required />
            </label>
            <button type="submit" class="button primary" disabled=live(move || sent.busy.get())>
                "Send a link"
            </button>
        </form>
        {sent.failure()}
        {when(
            move || asked.get(),
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
    let link = untrack(|| use_address().parameter("link")).unwrap_or_default();
    let sent = Sent::new();
    let confirmed = memo(move || sent.succeeded());
    view! {
        <form class="auth-form" method="post" action="/fn/confirm-address" on:submit=move |event| sent.send(&event)>
            <input type="hidden" name="link" value=link />
            <button type="submit" class="button primary" disabled=live(move || sent.busy.get())>
                "This address is mine"
            </button>
        </form>
        {sent.failure()}
        {when(move || confirmed.get(), || view! { <p role="status">"Your address is confirmed."</p> }.erase())}
        <div class="auth-alt">
            <a href="/">"To the chat"</a>
        </div>
    }
    .erase()
}

/// To the provider of identities: an address of the server that leads there.
#[component]
fn ProviderLink() -> impl IntoView {
    let address = use_address();
    let start = move || {
        let wanted = address.parameter(next::NAME).unwrap_or_default();
        next::login("", &wanted).replacen("/login", "/api/auth/oidc/start", 1)
    };
    view! {
        <div class="auth-alt">
            <a class="button" href=live(start) rel="external">
                "Sign in with your organisation"
            </a>
        </div>
    }
    .erase()
}

#[component]
fn DevForm() -> impl IntoView {
    let sent = Sent::new();
    sent.then_enter();
    view! {
        <div class="auth-alt">
            <form method="post" action="/fn/dev-login" on:submit=move |event| sent.send(&event)>
                <button type="submit" class="button" disabled=live(move || sent.busy.get())>
                    "Continue as developer"
                </button>
            </form>
            {sent.failure()}
        </div>
    }
    .erase()
}
