//! One's own account: password, second factor, sign-ins, tokens, and the way out.

use leptos::{ev::SubmitEvent, html, prelude::*, task::spawn_local};
use leptos_meta::Title;

use crate::app::{
    account::{self, AccountView, SecretView, SignInView, TokenView},
    api::reason,
    components::Topbar,
    view::{Erase, Key, Row, effect, list, live, part, view, when, words},
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

/// A field of a form.
#[derive(Clone, Copy, Default)]
struct Field {
    label: &'static str,
    kind: &'static str,
    autocomplete: Option<&'static str>,
    inputmode: Option<&'static str>,
    minlength: Option<&'static str>,
    maxlength: Option<&'static str>,
}

impl Field {
    /// The password that the account has.
    const fn password(label: &'static str) -> Self {
        Self {
            label,
            kind: "password",
            autocomplete: Some("current-password"),
            inputmode: None,
            minlength: None,
            maxlength: None,
        }
    }
}

/// A form: fields, and a button that does something with what was typed, which is taken out of them.
fn form<const N: usize>(
    page: Page,
    fields: [Field; N],
    class: &'static str,
    label: impl Fn() -> String + Send + Sync + 'static,
    act: impl Fn([String; N]) + 'static,
) -> AnyView {
    let fields = fields.map(|field| (field, NodeRef::<html::Input>::new()));
    let inputs = fields.map(|(_, input)| input);
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if !page.busy.get_untracked() {
            act(inputs.map(take));
        }
    };
    let fields: Vec<AnyView> = fields
        .into_iter()
        .map(|(field, input)| {
            view! {
                <label class="field">
                    <span class="field-label">{field.label}</span>
                    <input
                        type=field.kind
                        autocomplete=field.autocomplete
                        inputmode=field.inputmode
                        minlength=field.minlength
                        maxlength=field.maxlength
                        required
                        node_ref=input
                    />
                </label>
            }
            .erase()
        })
        .collect();
    view! {
        <form on:submit=submit>
            {fields}
            <button type="submit" class=class disabled=live(move || page.busy.get())>
                {words(label)}
            </button>
        </form>
    }
    .erase()
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
    let confirm = move |[shown]: [String; 1]| {
        page.act(account::confirm(shown), "Thank you; you can make and revoke tokens now.", |()| {});
    };
    view! {
        <section class="account-part">
            <h2>"Is it still you?"</h2>
            <p>"You signed in a while ago. Tokens are made and revoked after your password, or a code of your app."</p>
            {form(page, [Field::password("Password or code")], "button", || "Confirm".to_owned(), confirm)}
        </section>
    }
    .erase()
}

#[component]
fn Password(page: Page) -> impl IntoView {
    let new = Field { autocomplete: Some("new-password"), minlength: Some("8"), ..Field::password("New password") };
    let fields = [Field::password("Current password"), new];
    let change = move |[current, new]: [String; 2]| {
        let deed = account::change_password(current, new);
        page.act(deed, "Your password is changed; all other sign-ins have ended.", |()| {});
    };
    view! {
        <section class="account-part">
            <h2>"Password"</h2>
            {form(page, fields, "button", || "Change password".to_owned(), change)}
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
    let press = move |[password]: [String; 1]| {
        if untrack(is_on) {
            page.act(account::end_second_factor(password), "The second factor is off.", |()| {});
        } else {
            let deed = account::begin_second_factor(password);
            page.act(deed, "Type the secret into your app, and its code here.", move |secret| {
                page.secret.set(Some(secret));
            });
        }
    };
    let confirm = move |[code]: [String; 1]| {
        page.act(account::confirm_second_factor(code), "The second factor is on.", move |codes| {
            page.secret.set(None);
            page.shown.set(codes);
        });
    };
    let code = Field {
        label: "Code",
        kind: "text",
        autocomplete: Some("one-time-code"),
        inputmode: Some("numeric"),
        ..Field::default()
    };
    let setting_up = move |SecretView { uri, secret }: SecretView| {
        view! {
            <p>
                <a href=uri rel="external">"Open in an app on this device"</a>
                ", or type the secret: "
                <code class="account-secret">{secret}</code>
            </p>
            {form(page, [code], "button", || "Confirm".to_owned(), confirm)}
        }
        .erase()
    };
    let label = move || if is_on() { "Turn off" } else { "Set up" }.to_owned();
    view! {
        <section class="account-part">
            <h2>"Second factor"</h2>
            <p>{words(state)}</p>
            {form(page, [Field::password("Password")], "button", label, press)}
            {part(move || page.secret.get().map_or_else(|| ().erase(), setting_up))}
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
                let about = if current { "This sign-in".to_owned() } else { format!("Last used {last_used_at}") };
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
    let make = move |[name]: [String; 1]| {
        page.act(account::make_token(name), "The token is made.", move |token| page.shown.set(vec![token]));
    };
    let name = Field { label: "What it is for", kind: "text", maxlength: Some("100"), ..Field::default() };
    view! {
        <section class="account-part">
            <h2>"Tokens for programs"</h2>
            <ul>{list(rows)}</ul>
            {form(page, [name], "button", || "Make a token for 90 days".to_owned(), make)}
        </section>
    }
    .erase()
}

#[component]
fn Close(page: Page) -> impl IntoView {
    let close = move |[password]: [String; 1]| {
        page.act(account::close_account(password), "Your account is closed.", |_| {
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
            {form(page, [Field::password("Password")], "button danger", || "Close account".to_owned(), close)}
        </section>
    }
    .erase()
}
