//! One's own account: password, second factor, sign-ins, tokens, and the way out.

use leptos::{html, prelude::*, task::spawn_local};
use leptos_meta::Title;

use crate::app::{
    account::{self, AccountView, SecretView, SignInView, TokenView},
    api::reason,
    components::Topbar,
    view::{Erase, Key, Row, effect, list, live, part, when, words},
};

/// What all parts of the page share.
#[derive(Clone, Copy)]
struct Page {
    account: RwSignal<AccountView>,
    /// What the last deed came to.
    said: RwSignal<String>,
    busy: RwSignal<bool>,
    /// Shown this once.
    secret: RwSignal<Option<SecretView>>,
    shown: RwSignal<Vec<String>>,
}

impl Page {
    fn read(self) {
        spawn_local(async move {
            match account::account().await {
                Ok(found) => _ = self.account.try_set(found),
                Err(error) => _ = self.said.try_set(reason(&error)),
            }
        });
    }

    /// Does something, says what came of it, and reads the account again.
    fn act<T: 'static>(
        self,
        deed: impl Future<Output = Result<T, ServerFnError>> + 'static,
        done: &'static str,
        then: impl FnOnce(T) + 'static,
    ) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        spawn_local(async move {
            let outcome = deed.await;
            let _ = self.busy.try_set(false);
            match outcome {
                Ok(value) => {
                    let _ = self.said.try_set(done.to_owned());
                    then(value);
                    self.read();
                }
                Err(error) => _ = self.said.try_set(reason(&error)),
            }
        });
    }
}

/// The text of a field, which is emptied.
fn take(field: NodeRef<html::Input>) -> String {
    let Some(field) = field.get_untracked() else { return String::new() };
    let value = field.value();
    field.set_value("");
    value
}

/// The page.
#[component]
pub(crate) fn AccountPage() -> impl IntoView {
    let page = Page {
        account: RwSignal::default(),
        said: RwSignal::default(),
        busy: RwSignal::new(false),
        secret: RwSignal::new(None),
        shown: RwSignal::default(),
    };
    effect(move || page.read());
    let has_password = move || page.account.with(|account| !account.email.is_empty());
    let must_confirm = move || page.account.with(|account| !account.email.is_empty() && !account.confirmed);
    let shown = move || {
        let row = |code: String| {
            let key = Key::Name(code.clone());
            Row::new(key, move || view! { <li><code>{code}</code></li> }.erase())
        };
        page.shown.get().into_iter().map(row).collect()
    };
    view! {
        <Title text="Account" />
        <Topbar title="Account" agent="" />
        <div class="account-page">
            <p role="status" class="account-said">{words(move || page.said.get())}</p>
            {when(
                move || !page.shown.with(Vec::is_empty),
                move || {
                    view! {
                        <section class="account-part" aria-label="Shown once">
                            <p>"Keep this in a safe place: it is shown this once."</p>
                            <ul>{list(shown)}</ul>
                        </section>
                    }
                    .erase()
                },
            )}
            {when(
                move || page.account.with(|account| account.address_due),
                move || {
                    let send = move |_| page.act(account::ask_for_address(), "The letter is on its way.", |()| {});
                    view! {
                        <section class="account-part">
                            <h2>"Is this address yours?"</h2>
                            <p>"A link was sent there. Agents work for you once you have opened it."</p>
                            <button type="button" class="button" on:click=send>"Send it again"</button>
                        </section>
                    }
                    .erase()
                },
            )}
            {when(has_password, move || view! { <Password page /> }.erase())}
            {when(has_password, move || view! { <Factor page /> }.erase())}
            <SignIns page />
            {when(must_confirm, move || view! { <Confirm page /> }.erase())}
            <Tokens page />
            <section class="account-part">
                <h2>"What is yours"</h2>
                <p>"Your account and all of your own conversations, as JSON lines."</p>
                <a class="button" href="/api/account/export" rel="external" download="netra-export.jsonl">
                    "Export"
                </a>
            </section>
            {when(has_password, move || view! { <Close page /> }.erase())}
        </div>
    }
    .erase()
}

/// Asks again who holds the sign-in, before tokens are made.
#[component]
fn Confirm(page: Page) -> impl IntoView {
    let shown = NodeRef::<html::Input>::new();
    let confirm =
        move || page.act(account::confirm(take(shown)), "Thank you; you can make and revoke tokens now.", |()| {});
    view! {
        <section class="account-part">
            <h2>"Is it still you?"</h2>
            <p>"You signed in a while ago. Tokens are made and revoked after your password, or a code of your app."</p>
            <form
                on:submit=move |event| {
                    event.prevent_default();
                    confirm();
                }
            >
                <label class="field">
                    <span class="field-label">"Password or code"</span>
                    <input type="password" autocomplete="current-password" required node_ref=shown />
                </label>
                <button type="submit" class="button" disabled=live(move || page.busy.get())>
                    "Confirm"
                </button>
            </form>
        </section>
    }
    .erase()
}

#[component]
fn Password(page: Page) -> impl IntoView {
    let (current, new) = (NodeRef::<html::Input>::new(), NodeRef::<html::Input>::new());
    let change = move || {
        let deed = account::change_password(take(current), take(new));
        page.act(deed, "Your password is changed; all other sign-ins have ended.", |()| {});
    };
    view! {
        <section class="account-part">
            <h2>"Password"</h2>
            <form
                on:submit=move |event| {
                    event.prevent_default();
                    change();
                }
            >
                <label class="field">
                    <span class="field-label">"Current password"</span>
                    <input type="password" autocomplete="current-password" required node_ref=current />
                </label>
                <label class="field">
                    <span class="field-label">"New password"</span>
                    <input type="password" autocomplete="new-password" minlength="8" required node_ref=new />
                </label>
                <button type="submit" class="button" disabled=live(move || page.busy.get())>
                    "Change password"
                </button>
            </form>
        </section>
    }
    .erase()
}

#[component]
fn Factor(page: Page) -> impl IntoView {
    let state = move || {
        page.account.with(|account| match account.codes_left {
            Some(left) => format!("On. {left} recovery codes are left."),
            None => "Off. With it, signing in takes a code of an authenticator app, too.".to_owned(),
        })
    };
    let is_on = move || page.account.with(|account| account.codes_left.is_some());
    let password = NodeRef::<html::Input>::new();
    let code = NodeRef::<html::Input>::new();
    let press = move || {
        if is_on() {
            page.act(account::end_second_factor(take(password)), "The second factor is off.", |()| {});
        } else {
            let deed = account::begin_second_factor(take(password));
            page.act(deed, "Type the secret into your app, and its code here.", move |secret| {
                page.secret.set(Some(secret));
            });
        }
    };
    let confirm = move || {
        page.act(account::confirm_second_factor(take(code)), "The second factor is on.", move |codes| {
            page.secret.set(None);
            page.shown.set(codes);
        });
    };
    view! {
        <section class="account-part">
            <h2>"Second factor"</h2>
            <p>{words(state)}</p>
            <form
                on:submit=move |event| {
                    event.prevent_default();
                    press();
                }
            >
                <label class="field">
                    <span class="field-label">"Password"</span>
                    <input type="password" autocomplete="current-password" required node_ref=password />
                </label>
                <button type="submit" class="button" disabled=live(move || page.busy.get())>
                    {words(move || if is_on() { "Turn off" } else { "Set up" }.to_owned())}
                </button>
            </form>
            {part(move || match page.secret.get() {
                Some(secret) => view! {
                    <form
                        on:submit=move |event| {
                            event.prevent_default();
                            confirm();
                        }
                    >
                        <p>
                            <a href=secret.uri rel="external">"Open in an app on this device"</a>
                            ", or type the secret: "
                            <code class="account-secret">{secret.secret}</code>
                        </p>
                        <label class="field">
                            <span class="field-label">"Code"</span>
                            <input
                                type="text"
                                inputmode="numeric"
                                autocomplete="one-time-code"
                                required
                                node_ref=code
                            />
                        </label>
                        <button type="submit" class="button">"Confirm"</button>
                    </form>
                }
                .erase(),
                None => ().erase(),
            })}
        </section>
    }
    .erase()
}

#[component]
fn SignIns(page: Page) -> impl IntoView {
    let rows = move || {
        let row = move |sign_in: SignInView| {
            Row::new(Key::Name(format!("{} {}", sign_in.id, sign_in.last_used_at)), move || {
                let SignInView { id, current, place, last_used_at } = sign_in;
                let end = (!current).then(|| {
                    let end = move |_| {
                        page.act(account::end_sign_in(Some(id.clone())), "That sign-in has ended.", |()| {});
                    };
                    view! { <button type="button" class="button quiet" on:click=end>"End"</button> }.erase()
                });
                let about = if current { "this one".to_owned() } else { format!("last used {last_used_at}") };
                view! {
                    <li class="account-row">
                        <span>{place}</span>
                        <span class="account-about">{about}</span>
                        {end}
                    </li>
                }
                .erase()
            })
        };
        page.account.get().sign_ins.into_iter().map(row).collect()
    };
    let end_others = move |_| page.act(account::end_sign_in(None), "All other sign-ins have ended.", |()| {});
    view! {
        <section class="account-part">
            <h2>"Where you are signed in"</h2>
            <ul>{list(rows)}</ul>
            <button type="button" class="button" on:click=end_others>"End all others"</button>
        </section>
    }
    .erase()
}

#[component]
fn Tokens(page: Page) -> impl IntoView {
    let name = NodeRef::<html::Input>::new();
    let rows = move || {
        let row = move |token: TokenView| {
            Row::new(Key::Name(token.id.clone()), move || {
                let TokenView { id, about } = token;
                let revoke = move |_| {
                    if let Ok(id) = id.parse() {
                        page.act(account::revoke_token(id), "The token is revoked.", |()| {});
                    }
                };
                view! {
                    <li class="account-row">
                        <span>{about}</span>
                        <button type="button" class="button quiet" on:click=revoke>"Revoke"</button>
                    </li>
                }
                .erase()
            })
        };
        page.account.get().tokens.into_iter().map(row).collect()
    };
    let make = move || {
        page.act(account::make_token(take(name)), "The token is made.", move |token| page.shown.set(vec![token]));
    };
    view! {
        <section class="account-part">
            <h2>"Tokens for programs"</h2>
            <ul>{list(rows)}</ul>
            <form
                on:submit=move |event| {
                    event.prevent_default();
                    make();
                }
            >
                <label class="field">
                    <span class="field-label">"What it is for"</span>
                    <input type="text" maxlength="100" required node_ref=name />
                </label>
                <button type="submit" class="button" disabled=live(move || page.busy.get())>
                    "Make a token for 90 days"
                </button>
            </form>
        </section>
    }
    .erase()
}

#[component]
fn Close(page: Page) -> impl IntoView {
    let password = NodeRef::<html::Input>::new();
    let close = move || {
        page.act(account::close_account(take(password)), "Your account is closed.", |_| {
            if window().location().assign("/login").is_err() {
                leptos::logging::error!("the sign-in page cannot be opened");
            }
        });
    };
    view! {
        <section class="account-part">
            <h2>"Close the account"</h2>
            <p>
                "All sign-ins end. After some days the account and your own conversations are deleted; signing in before that keeps them."
            </p>
            <form
                on:submit=move |event| {
                    event.prevent_default();
                    close();
                }
            >
                <label class="field">
                    <span class="field-label">"Password"</span>
                    <input type="password" autocomplete="current-password" required node_ref=password />
                </label>
                <button type="submit" class="button danger" disabled=live(move || page.busy.get())>
                    "Close account"
                </button>
            </form>
        </section>
    }
    .erase()
}
