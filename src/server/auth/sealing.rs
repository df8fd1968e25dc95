//! Secrets that the server has to read again, such as those of second factors: sealed with a key of its own (HKDF, RFC 5869;
//! ChaCha20-Poly1305, RFC 8439), so that a stolen database is worth nothing without the server's secret.

use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
};

/// The first byte of what was sealed in this way.
const VERSION: u8 = 1;

/// What a key is for: keys for other purposes differ.
#[derive(Clone, Copy, Debug)]
pub(super) enum For {
    /// Secrets of second factors; the owner is the user.
    SecondFactors,
    /// Tokens of MCP servers; the owner is the server.
    McpConnections,
}

impl For {
    const fn words(self) -> &'static [u8] {
        match self {
            Self::SecondFactors => b"netra: secrets of second factors, 1",
            Self::McpConnections => b"netra: tokens of MCP servers, 1",
        }
    }
}

/// Seals and opens.
pub(crate) struct Sealer(LessSafeKey);

/// What cannot be opened: it was changed, is another's, or was sealed with another secret of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealed secret cannot be opened; was the server's secret (NETRA_JWT_SECRET, or jwt.key) changed?")]
pub(crate) struct Unopened;

impl Sealer {
    /// With a key that comes from the server's secret.
    pub(super) fn new(secret: &[u8], purpose: For) -> std::io::Result<Self> {
        let failed = |_| std::io::Error::other("no key can be made of the server's secret");
        let root = Salt::new(HKDF_SHA256, b"netra").extract(secret);
        let purpose = [purpose.words()];
        let key = root.expand(&purpose, &CHACHA20_POLY1305).map_err(failed)?;
        Ok(Self(LessSafeKey::new(UnboundKey::from(key))))
    }

    /// Whether something was sealed, as against kept plain by an older version.
    pub(super) fn is_sealed(kept: &[u8]) -> bool {
        kept.first() == Some(&VERSION) && kept.len() > 1 + NONCE_LEN + CHACHA20_POLY1305.tag_len()
    }

    /// Seals a secret of `owner`: for nobody else can it be opened.
    pub(crate) fn seal(&self, owner: &[u8], secret: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(std::io::Error::other)?;
        let mut sealed = secret.to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(owner), &mut sealed)
            .map_err(|_| std::io::Error::other("a secret cannot be sealed"))?;
        Ok([&[VERSION], &nonce[..], &sealed].concat())
    }

    /// Opens what was sealed for `owner`.
    pub(crate) fn open(&self, owner: &[u8], kept: &[u8]) -> Result<Vec<u8>, Unopened> {
        let rest = kept.strip_prefix(&[VERSION]).ok_or(Unopened)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN).ok_or(Unopened)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unopened)?;
        let mut sealed = sealed.to_vec();
        let opened = self.0.open_in_place(nonce, Aad::from(owner), &mut sealed).map_err(|_| Unopened)?;
        Ok(opened.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_owner_and_with_its_key_alone() {
        let sealer = Sealer::new(b"a secret of the server, long enough", For::SecondFactors).expect("a key");
        let sealed = sealer.seal(b"ada", b"12345678901234567890").expect("sealed");
        assert!(Sealer::is_sealed(&sealed) && !Sealer::is_sealed(b"12345678901234567890"));
        assert!(!sealed.windows(20).any(|part| part == b"12345678901234567890"));
        assert_eq!(sealer.open(b"ada", &sealed).as_deref(), Ok(&b"12345678901234567890"[..]));
        assert_eq!(sealer.open(b"bob", &sealed), Err(Unopened));
        let other = Sealer::new(b"another secret of another server", For::SecondFactors).expect("a key");
        assert_eq!(other.open(b"ada", &sealed), Err(Unopened));
        let purpose = Sealer::new(b"a secret of the server, long enough", For::McpConnections).expect("a key");
        assert_eq!(purpose.open(b"ada", &sealed), Err(Unopened));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(sealer.open(b"ada", &changed), Err(Unopened), "byte {at}");
            assert_eq!(sealer.open(b"ada", &sealed[..at]), Err(Unopened), "cut at {at}");
        }
        assert_ne!(sealed, sealer.seal(b"ada", b"12345678901234567890").expect("sealed"), "a nonce of its own");
    }
}
