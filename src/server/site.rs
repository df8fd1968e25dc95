//! The page's files. `make build` puts them into the binary, as Brotli what packs well; a build without them reads a folder, as
//! development does.

mod forms;

use std::{io, path::PathBuf, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header},
    middleware::map_response,
    response::{IntoResponse, Response},
};
use forms::{Forms, Packed};
use leptos::config::{Env, LeptosOptions, errors::LeptosConfigError, get_configuration};
use tower_http::services::ServeDir;

use super::{error::ApiError, router::wrong_method};

/// The names under which the page is built; a test holds them equal to `[package.metadata.leptos]` in `Cargo.toml`.
pub const OUTPUT_NAME: &str = "netra";
/// The folder of a build without the page, from the working directory.
pub const SITE_ROOT: &str = "target/site";
/// The folder of what was compiled, inside the site.
pub const PKG_DIR: &str = "pkg";

/// A year, in seconds: what an address with a version in it holds never changes.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Other files keep their addresses between builds, so a browser asks whether its copy is still good.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");
/// A cache between must not hand one client's encoding to another.
const VARY: (HeaderName, HeaderValue) = (header::VARY, HeaderValue::from_static("accept-encoding"));

/// Every file of the page, inside the binary.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Changes with each file; part of the addresses of what was compiled.
    pub version: &'static str,
    /// The files; none in a build without the page.
    pub assets: &'static [Asset],
}

impl Page {
    /// A build without the page.
    pub const NONE: Self = Self { version: "", assets: &[] };
}

/// One file. The bytes lie in the binary and are sent from there: they take memory only while they are read.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Its address without a version, such as `/pkg/netra.wasm`.
    pub path: &'static str,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// Names the content: hexadecimal digits of its SHA-256.
    pub hash: &'static str,
    /// What the binary holds of it.
    pub stored: AssetBytes,
}

/// How a file lies in the binary. What packs well lies there packed alone: a third of the size, and what nearly everyone takes.
#[derive(Clone, Copy, Debug)]
pub enum AssetBytes {
    /// As it is.
    Plain(&'static [u8]),
    /// Packed.
    Packed {
        /// As Brotli.
        brotli: &'static [u8],
        /// How long the file is.
        length: usize,
    },
}

/// Where the page's files come from.
#[derive(Clone, Debug)]
pub(super) enum Site {
    Embedded(Page),
    Folder(PathBuf),
}

impl Site {
    /// The binary's own files, else the folder, and what Leptos has to know of them. `cargo leptos` names the folder and the rest
    /// in the environment.
    pub(super) fn find(page: Page) -> Result<(Self, LeptosOptions), LeptosConfigError> {
        if !page.assets.is_empty() {
            // Leptos looks for a file beside the folder; there is no folder.
            let versioned = format!("{PKG_DIR}/{}", page.version);
            let options = LeptosOptions::builder().output_name(OUTPUT_NAME).site_root("").site_pkg_dir(versioned);
            return Ok((Self::Embedded(page), options.env(Env::PROD).build()));
        }
        let options = if std::env::var_os("LEPTOS_OUTPUT_NAME").is_some() {
            get_configuration(None)?.leptos_options
        } else {
            let options = LeptosOptions::builder().output_name(OUTPUT_NAME).site_root(SITE_ROOT).site_pkg_dir(PKG_DIR);
            options.env(Env::PROD).build()
        };
        let folder = PathBuf::from(&*options.site_root);
        if !folder.is_dir() {
            tracing::warn!(
                folder = %folder.display(),
                "this build carries no page, and the folder with its files is not there: `make build` makes a whole one"
            );
        }
        Ok((Self::Folder(folder), options))
    }

    /// Answers every address that nothing else answers.
    pub(super) fn router(self) -> Router {
        match self {
            Self::Embedded(page) => {
                let forms = Arc::new(Forms::default());
                Router::new().fallback(move |request| serve(page, forms, request))
            }
            Self::Folder(folder) => {
                Router::new().fallback_service(ServeDir::new(folder)).layer(map_response(from_folder))
            }
        }
    }
}

/// What is no file is not found, in the API's own shape.
async fn from_folder(uri: Uri, mut response: Response) -> Response {
    if response.status() == StatusCode::NOT_FOUND {
        return not_found(&uri);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, REVALIDATE);
    response
}

fn not_found(uri: &Uri) -> Response {
    tracing::debug!(path = uri.path(), "not found");
    ApiError::not_found().into_response()
}

async fn serve(page: Page, forms: Arc<Forms>, request: Request<Body>) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let Some((asset, cache)) = find(&page, uri.path()) else { return not_found(&uri) };
    if method != Method::GET && method != Method::HEAD {
        let mut response = wrong_method(method, uri).await;
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET,HEAD"));
        return response;
    }
    let encoding = asset.stored.encoding_for(request.headers());
    let tag = match encoding {
        Some(encoding) => format!("\"{}-{encoding}\"", asset.hash),
        None => format!("\"{}\"", asset.hash),
    };
    let is_known = matches_tag(request.headers(), &tag);
    let headers = ([(header::ETAG, tag)], [(header::CACHE_CONTROL, cache), VARY]);
    if is_known {
        return (StatusCode::NOT_MODIFIED, headers.0, headers.1).into_response();
    }
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type))];
    let body = match asset.body(&forms, encoding).await {
        Ok(body) => body,
        Err(error) => {
            tracing::error!(path = asset.path, %error, "a file in the binary cannot be unpacked");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let mut response = (headers.0, headers.1, kind, body).into_response();
    if let Some(encoding) = encoding {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    // For HEAD the server leaves the body out and keeps its length.
    response
}

/// The file at an address, and how long a browser may keep it.
fn find(page: &Page, path: &str) -> Option<(&'static Asset, HeaderValue)> {
    let of = |path: &str| page.assets.iter().find(|asset| asset.path == path);
    let compiled =
        path.strip_prefix('/').and_then(|path| path.strip_prefix(PKG_DIR)).and_then(|path| path.strip_prefix('/'));
    if let Some((version, rest)) = compiled.and_then(|path| path.split_once('/'))
        && version == page.version
    {
        return of(&format!("/{PKG_DIR}/{rest}")).map(|asset| (asset, IMMUTABLE));
    }
    of(path).map(|asset| (asset, REVALIDATE))
}

const BROTLI: &str = "br";
const GZIP: &str = "gzip";

impl AssetBytes {
    /// The smallest form that the client takes (RFC 9110, 12.5.3); none when that is the file as it is.
    fn encoding_for(&self, headers: &HeaderMap) -> Option<&'static str> {
        match self {
            Self::Plain(_) => None,
            Self::Packed { .. } => [BROTLI, GZIP].into_iter().find(|coding| takes(headers, coding)),
        }
    }
}

impl Asset {
    /// The bytes in that form.
    async fn body(&self, forms: &Arc<Forms>, encoding: Option<&str>) -> io::Result<Bytes> {
        match self.stored {
            AssetBytes::Plain(bytes) => Ok(Bytes::from_static(bytes)),
            AssetBytes::Packed { brotli, .. } if encoding == Some(BROTLI) => Ok(Bytes::from_static(brotli)),
            AssetBytes::Packed { brotli, length } => {
                forms.get(Packed { path: self.path, brotli, length }, encoding == Some(GZIP)).await
            }
        }
    }
}

/// Whether the client takes a content coding: it names it, or `*`, and not with a weight of nothing.
fn takes(headers: &HeaderMap, coding: &str) -> bool {
    let items = || {
        let lists = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
        lists.flat_map(|list| list.split(',')).map(|item| {
            let mut parts = item.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let weight =
                parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |weight| weight.parse::<f32>().ok());
            (name, weight.unwrap_or_default())
        })
    };
    let weight = |wanted: &str| items().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, weight)| weight);
    weight(coding).or_else(|| weight("*")).is_some_and(|weight| weight > 0.0)
}

/// Whether the client holds this form of the file already.
fn matches_tag(headers: &HeaderMap, tag: &str) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    lists
        .flat_map(|list| list.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == tag || known == "*")
}

#[cfg(test)]
mod tests {
    use super::{forms::tests::FILE, *};

    const WASM: Asset = Asset {
        path: "/pkg/netra.wasm",
        content_type: "application/wasm",
        hash: "abc",
        stored: AssetBytes::Packed { brotli: FILE.brotli, length: FILE.length },
    };
    const ICON: Asset =
        Asset { path: "/icon.png", content_type: "image/png", stored: AssetBytes::Plain(b"icon"), ..WASM };
    const PAGE: Page = Page { version: "v1", assets: &[WASM, ICON] };

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn the_smallest_form_that_is_taken() {
        let check = |accepts: &'static str, asset: Asset, encoding: Option<&str>| {
            let headers = headers(header::ACCEPT_ENCODING, accepts);
            assert_eq!(asset.stored.encoding_for(&headers), encoding, "{accepts:?}");
        };
        check("gzip, deflate, br, zstd", WASM, Some("br"));
        check("gzip;q=1.0, br;q=0.5", WASM, Some("br"));
        check("GZIP", WASM, Some("gzip"));
        check("br;q=0, gzip", WASM, Some("gzip"));
        check("br; q=0.000, *", WASM, Some("gzip"));
        check("*", WASM, Some("br"));
        check("*;q=0", WASM, None);
        check("identity", WASM, None);
        check("br;q=much", WASM, None);
        check("", WASM, None);
        check("br, gzip", ICON, None);
        assert_eq!(WASM.stored.encoding_for(&HeaderMap::new()), None);
    }

    #[tokio::test]
    async fn each_form_is_the_file() {
        let forms = Arc::new(Forms::default());
        let check = async |asset: Asset, encoding: Option<&str>, bytes: &[u8]| {
            assert_eq!(asset.body(&forms, encoding).await.expect("it can be unpacked"), bytes);
        };
        check(WASM, Some("br"), FILE.brotli).await;
        check(WASM, None, b"plain").await;
        check(ICON, None, b"icon").await;
    }

    #[test]
    fn only_an_address_with_this_version_is_kept_for_good() {
        let check = |path: &str, found: Option<HeaderValue>| {
            assert_eq!(find(&PAGE, path).map(|(_, cache)| cache), found, "{path}");
        };
        check("/pkg/v1/netra.wasm", Some(IMMUTABLE));
        check("/pkg/netra.wasm", Some(REVALIDATE));
        check("/icon.png", Some(REVALIDATE));
        for path in
            ["/pkg/v0/netra.wasm", "/pkg/v1/icon.png", "/v1/netra.wasm", "/pkg/v1/", "/pkg", "/", "/../Cargo.toml"]
        {
            check(path, None);
        }
    }

    #[test]
    fn a_tag_is_known_in_any_list() {
        let check = |known: &'static str, is_known: bool| {
            assert_eq!(matches_tag(&headers(header::IF_NONE_MATCH, known), "\"abc-br\""), is_known, "{known}");
        };
        check("\"abc-br\"", true);
        check("W/\"abc-br\"", true);
        check("\"x\", \"abc-br\"", true);
        check("*", true);
        check("\"abc\"", false);
        check("abc-br", false);
    }
}
