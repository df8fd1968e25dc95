//! A browser without a page: cookies of each host, redirects and forms followed by hand; and the pages of npm's `oidc-provider`.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use reqwest::{Method, redirect::Policy};

/// A client that follows no redirect.
pub(crate) fn plain() -> reqwest::Client {
    reqwest::Client::builder().redirect(Policy::none()).build().expect("a client")
}

/// A browser: cookies of each host, forms and redirects followed by hand.
pub(crate) struct Browser {
    pub(crate) http: reqwest::Client,
    jar: Mutex<BTreeMap<(String, String), String>>,
}

/// Where the browser ended, and with what.
pub(crate) struct Page {
    pub(crate) url: url::Url,
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Browser {
    pub(crate) fn new() -> Self {
        Self { http: plain(), jar: Mutex::default() }
    }

    /// Takes over cookies of `host:port`, as a header has them.
    pub(crate) fn adopt(&self, host: &str, cookies: &str) {
        let mut jar = self.jar.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, value) in cookies.split("; ").filter_map(|cookie| cookie.split_once('=')) {
            jar.insert((host.to_owned(), name.to_owned()), value.to_owned());
        }
    }

    /// The cookies for `host:port`, as a header.
    pub(crate) fn cookies(&self, host: &str) -> String {
        let jar = self.jar.lock().unwrap_or_else(PoisonError::into_inner);
        let own = jar.iter().filter(|((of, _), _)| of == host);
        own.map(|((_, name), value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// One request, and all redirects after it.
    pub(crate) async fn go(&self, url: &str, form: Option<&str>) -> Page {
        let mut url = url::Url::parse(url).expect("an address");
        let mut form = form.map(str::to_owned);
        for _ in 0..15 {
            let host = format!("{}:{}", url.host_str().unwrap_or_default(), url.port().unwrap_or_default());
            let method = if form.is_some() { Method::POST } else { Method::GET };
            let mut request = self.http.request(method, url.clone()).header("cookie", self.cookies(&host));
            if let Some(form) = form.take() {
                request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
            }
            let answer = request.send().await.expect("an answer");
            for cookie in answer.headers().get_all("set-cookie") {
                let cookie = cookie.to_str().expect("text");
                let (name, rest) = cookie.split_once('=').expect("a cookie");
                let value = rest.split(';').next().unwrap_or_default().to_owned();
                let gone = value.is_empty() || rest.to_ascii_lowercase().contains("max-age=0");
                let mut jar = self.jar.lock().unwrap_or_else(PoisonError::into_inner);
                let key = (host.clone(), name.to_owned());
                if gone {
                    jar.remove(&key)
                } else {
                    jar.insert(key, value)
                };
            }
            let status = answer.status().as_u16();
            let to = answer.headers().get("location").map(|to| to.to_str().expect("text").to_owned());
            match to.filter(|_| (300..400).contains(&status)) {
                Some(to) => url = url.join(&to).expect("an address"),
                None => return Page { url, status, body: answer.text().await.expect("text") },
            }
        }
        panic!("redirected without end, last to {url}");
    }

    /// Goes to an address and signs in as somebody at the provider, through its own pages, until it leads elsewhere.
    pub(crate) async fn sign_in_at(&self, address: &str, name: &str) -> Page {
        let mut page = self.go(address, None).await;
        for _ in 0..4 {
            if !page.url.path().starts_with("/interaction/") {
                return page;
            }
            let form = if page.body.contains("name=\"login\"") {
                format!("prompt=login&login={name}&password=x")
            } else {
                "prompt=consent".to_owned()
            };
            page = self.go(page.url.as_str(), Some(&form)).await;
        }
        panic!("the provider asks without end: {}", page.body);
    }
}
