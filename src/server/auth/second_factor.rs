//! The second factor: TOTP (RFC 6238) with recovery codes. A code counts once, and clocks may be a step apart.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use netra_ws::{ErrorCode, Timestamp, UserId, model::User};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};
use totp_rs::{Algorithm, Secret, TOTP};

use super::{Identity, SecurityService, Visitor, sealing::Sealer, secret, too_many};
use crate::server::{error::ApiError, mail::Letter};

/// What every authenticator app takes.
const DIGITS: usize = 6;
const STEP_S: u64 = 30;

/// Bytes of a secret (RFC 4226, 4).
const SECRET: usize = 20;

/// How many steps a clock may be off.
const SKEW: u64 = 1;

/// Recovery codes that are made.
const CODES: usize = 10;

/// Guesses of codes for one account in an hour, from everywhere together: whoever makes them knows the password. Recovery codes
/// are not counted, so that the owner gets in.
pub(super) const GUESSES_PER_HOUR: u32 = 240;

/// A second factor to be set up.
#[derive(JsonSchema, Serialize)]
pub struct NewSecondFactor {
    /// The secret, in Base32, to be typed into the app.
    pub secret: String,
    /// The same as an address that apps open.
    pub uri: String,
}

/// Codes that are good once: the one time that they are shown.
#[derive(JsonSchema, Serialize)]
pub struct RecoveryCodes {
    /// Each gets in once, in place of the app's code.
    pub recovery_codes: Vec<String>,
}

fn totp(secret: Vec<u8>) -> Result<TOTP, ApiError> {
    TOTP::new(Algorithm::SHA1, DIGITS, 0, STEP_S, secret).map_err(|error| ApiError::internal(&error))
}

/// The step whose code this is, if it is one of those around `now_s`.
fn step_of(totp: &TOTP, code: &str, now_s: u64) -> Option<u64> {
    let step = now_s / STEP_S;
    let mut found = None;
    // Each is compared, so that how long it takes does not tell which.
    for candidate in step.saturating_sub(SKEW)..=step + SKEW {
        let wanted = totp.generate(candidate * STEP_S);
        let same = wanted
            .bytes()
            .zip(code.bytes())
            .fold(wanted.len() ^ code.len(), |differs, (a, b)| differs | usize::from(a ^ b));
        if same == 0 {
            found = Some(candidate);
        }
    }
    found
}

fn now_s() -> u64 {
    Timestamp::now().as_millis() / 1000
}

/// What was typed, as far as it counts.
fn plain(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).take(64).collect::<String>().to_ascii_lowercase()
}

fn digest(code: &str) -> Vec<u8> {
    Sha256::digest(code.as_bytes()).to_vec()
}

/// 80 random bits as `xxxx-xxxx-xxxx-xxxx`, without letters that are read as others.
fn recovery_code() -> Result<String, ApiError> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let random = secret::random_text().map_err(|error| ApiError::internal(&error))?;
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(random).map_err(|error| ApiError::internal(&error))?;
    let letters: Vec<char> = bytes.iter().take(16).map(|byte| LETTERS[usize::from(byte % 32)].into()).collect();
    Ok(letters.chunks(4).map(|part| part.iter().collect::<String>()).collect::<Vec<_>>().join("-"))
}

impl SecurityService {
    /// Begins to set up a second factor.
    pub async fn begin_second_factor(
        &self,
        identity: &Identity,
        visitor: &Visitor,
        password: &str,
    ) -> Result<NewSecondFactor, ApiError> {
        self.confirm_password(identity, visitor, password).await?;
        let random = secret::random_text().map_err(|error| ApiError::internal(&error))?;
        let bytes = Sha256::digest(random.as_bytes())[..SECRET].to_vec();
        let user = identity.user.id;
        let sealed = self.sealer.seal(user.uuid().as_bytes(), &bytes).map_err(|error| ApiError::internal(&error))?;
        if !self.store.begin_second_factor(user, &sealed).await? {
            return Err(ApiError::new(ErrorCode::Conflict, "there is a second factor already; end it first"));
        }
        let Secret::Encoded(secret) = Secret::Raw(bytes).to_encoded() else {
            return Err(ErrorCode::Internal.into());
        };
        let label = identity.user.email.clone().unwrap_or_else(|| identity.user.name.clone());
        let mut uri = url::Url::parse("otpauth://totp/").map_err(|error| ApiError::internal(&error))?;
        uri.set_path(&format!("/Netra:{label}"));
        uri.query_pairs_mut().append_pair("secret", &secret).append_pair("issuer", "Netra");
        Ok(NewSecondFactor { secret, uri: uri.into() })
    }

    /// Confirms it with a code of the app; the recovery codes.
    pub async fn confirm_second_factor(
        &self,
        identity: &Identity,
        visitor: &Visitor,
        code: &str,
    ) -> Result<RecoveryCodes, ApiError> {
        identity.require_person()?;
        let user = identity.user.id;
        if let Some(wait) = self.code_guesses.spend(&user) {
            return Err(too_many(wait));
        }
        let begun = self.store.second_factor(user).await?.filter(|factor| !factor.confirmed);
        let begun =
            begun.ok_or_else(|| ApiError::new(ErrorCode::Conflict, "no second factor waits to be confirmed"))?;
        let step = step_of(&totp(self.open(user, &begun.secret)?)?, &plain(code), now_s());
        let step = step.ok_or_else(|| ApiError::new(ErrorCode::Forbidden, WRONG_CODE))?;
        let codes = (0..CODES).map(|_| recovery_code()).collect::<Result<Vec<_>, _>>()?;
        let digests: Vec<_> = codes.iter().map(|code| digest(&plain(code))).collect();
        if !self.store.confirm_second_factor(user, step, &digests).await? {
            return Err(ApiError::new(ErrorCode::Conflict, "no second factor waits to be confirmed"));
        }
        self.note(Some(user), "second_factor.made", None, Some(visitor)).await;
        Ok(RecoveryCodes { recovery_codes: codes })
    }

    /// Ends the second factor of someone who knows the password.
    pub async fn end_second_factor(
        &self,
        identity: &Identity,
        visitor: &Visitor,
        password: &str,
    ) -> Result<(), ApiError> {
        self.confirm_password(identity, visitor, password).await?;
        self.store.end_second_factor(identity.user.id).await?;
        self.note(Some(identity.user.id), "second_factor.ended", None, Some(visitor)).await;
        self.tell(&identity.user, Letter::SecondFactorEnded);
        Ok(())
    }

    /// Seals secrets that an older version kept as they are.
    pub async fn seal_second_factors(&self) -> Result<(), ApiError> {
        for (user, plain) in self.store.plain_secrets(SECRET).await? {
            let sealed =
                self.sealer.seal(user.uuid().as_bytes(), &plain).map_err(|error| ApiError::internal(&error))?;
            self.store.replace_secret(user, &plain, &sealed).await?;
        }
        Ok(())
    }

    fn open(&self, user: UserId, kept: &[u8]) -> Result<Vec<u8>, ApiError> {
        if !Sealer::is_sealed(kept) {
            return Ok(kept.to_vec());
        }
        self.sealer.open(user.uuid().as_bytes(), kept).map_err(|error| ApiError::internal(&error))
    }

    /// Whether the user has a second factor, and how many recovery codes are left.
    pub async fn has_second_factor(&self, user: UserId) -> Result<Option<u64>, ApiError> {
        let factor = self.store.second_factor(user).await?.filter(|factor| factor.confirmed);
        Ok(factor.map(|factor| factor.codes_left))
    }

    /// Asks for the second factor of someone whose password is right.
    pub(super) async fn second_factor(
        &self,
        user: &User,
        visitor: &Visitor,
        code: Option<&str>,
    ) -> Result<SecondStep, ApiError> {
        let factor = self.store.second_factor(user.id).await?.filter(|factor| factor.confirmed);
        let Some(factor) = factor else { return Ok(SecondStep::Passed) };
        let code = plain(code.unwrap_or_default());
        if code.is_empty() {
            return Ok(SecondStep::Missing);
        }
        let passed = if code.len() == DIGITS {
            if let Some(wait) = self.code_guesses.spend(&user.id) {
                return Err(too_many(wait));
            }
            match step_of(&totp(self.open(user.id, &factor.secret)?)?, &code, now_s()) {
                Some(step) => self.store.use_step(user.id, step).await?,
                None => false,
            }
        } else {
            let used = self.store.use_recovery_code(user.id, &digest(&code)).await?;
            if used {
                self.note(Some(user.id), "recovery_code.used", None, Some(visitor)).await;
            }
            used
        };
        Ok(if passed { SecondStep::Passed } else { SecondStep::Wrong })
    }
}

/// What is said of a code that does not fit.
pub(super) const WRONG_CODE: &str = "the code is wrong, or was used already; is the clock of your device right?";

/// How far the second step got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SecondStep {
    /// There is none, or it was taken.
    Passed,
    /// There was no code.
    Missing,
    /// The code does not fit.
    Wrong,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_be_a_step_apart() {
        // RFC 6238, appendix B: at 59 s the code of eight digits is 94287082.
        let totp = totp(b"12345678901234567890".to_vec()).expect("a secret");
        assert_eq!(step_of(&totp, "287082", 59), Some(1));
        assert_eq!(step_of(&totp, "287082", 89), Some(1), "a step later");
        assert_eq!(step_of(&totp, "287082", 29), Some(1), "a step earlier");
        assert_eq!(step_of(&totp, "287082", 90), None);
        assert_eq!(step_of(&totp, "287082", 24 * 60 * 60 + 59), None, "a day later");
        assert_eq!(step_of(&totp, "28708", 59), None);
        assert_eq!(step_of(&totp, "", 59), None);
    }

    #[test]
    fn recovery_codes_are_long_and_differ() {
        let (one, two) = (recovery_code().expect("a code"), recovery_code().expect("a code"));
        assert_eq!((one.len(), plain(&one).len()), (19, 16));
        assert_ne!(one, two);
        assert_eq!(plain(" ABCD-2345 "), "abcd2345");
    }
}
