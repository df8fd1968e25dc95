//! Passwords that everybody tries first.

/// Of eight characters and more, from lists of leaked passwords, in small letters. What is typed is looked up without digits and
/// signs at its end, too.
const COMMON: &[&str] = &[
    "password",
    "passw0rd",
    "p@ssword",
    "p@ssw0rd",
    "pa$$word",
    "pa$$w0rd",
    "passwort",
    "motdepasse",
    "contraseña",
    "contrasena",
    "iloveyou",
    "princess",
    "sunshine",
    "football",
    "baseball",
    "basketball",
    "superman",
    "batman12",
    "starwars",
    "trustno1",
    "whatever",
    "computer",
    "internet",
    "corvette",
    "mercedes",
    "butterfly",
    "chocolate",
    "liverpool",
    "welcome1",
    "welcome",
    "qwertyui",
    "qwertyuiop",
    "qwerty123",
    "qwertz123",
    "1q2w3e4r",
    "1q2w3e4r5t",
    "1qaz2wsx",
    "zaq12wsx",
    "q1w2e3r4",
    "qazwsxedc",
    "asdfghjk",
    "asdfghjkl",
    "zxcvbnm1",
    "abcdefgh",
    "abcd1234",
    "abc12345",
    "a1b2c3d4",
    "aa123456",
    "a123456789",
    "administrator",
    "adminadmin",
    "letmein1",
    "letmein",
    "changeme",
    "changeit",
    "default1",
    "secret12",
    "secretsecret",
    "iloveyou1",
    "iloveyou2",
    "monkey12",
    "dragon12",
    "master12",
    "michael1",
    "jennifer",
    "jordan23",
    "michelle",
    "danielle",
    "jessica1",
    "charlie1",
    "samantha",
    "elizabeth",
    "alexander",
    "nicholas",
    "christian",
    "veronica",
    "victoria",
    "benjamin",
    "spiderman",
    "pokemon1",
    "minecraft",
    "blink182",
    "metallica",
    "slipknot",
    "nirvana1",
    "barcelona",
    "realmadrid",
    "arsenal1",
    "chelsea1",
    "manchester",
    "november",
    "december",
    "september",
    "midnight",
    "passport",
    "security",
    "freedom1",
    "matrix12",
    "hello123",
    "hellohello",
    "testtest",
    "test1234",
    "temp1234",
    "guest123",
    "login123",
    "user1234",
    "qwerty12",
    "asdf1234",
    "correcthorse",
    "correcthorsebatterystaple",
    "netranetra",
    "netra123",
];

/// Whether a password is one of those, or has no more to it than a run of keys or one part again and again. `own` are words that
/// an attacker knows of its owner.
pub(super) fn is_common(password: &str, own: &[&str]) -> bool {
    let small = password.to_lowercase();
    let bare = small.trim_end_matches(|c: char| c.is_numeric() || c.is_ascii_punctuation());
    let listed = |text: &str| COMMON.contains(&text);
    listed(&small)
        || listed(bare)
        || is_run(&small)
        || repeats(&small)
        || own.iter().any(|word| is_about(&small, bare, word))
}

/// The owner's address or name, with digits and signs at its end or without.
fn is_about(small: &str, bare: &str, own: &str) -> bool {
    let own = own.to_lowercase();
    let local = own.split('@').next().unwrap_or_default();
    [own.as_str(), local].iter().any(|word| word.len() >= 3 && (small == *word || bare == *word))
}

/// Each character follows the one before, up or down: `12345678`, `hgfedcba`.
fn is_run(text: &str) -> bool {
    let codes: Vec<u32> = text.chars().map(u32::from).collect();
    let steps = |step: fn(u32) -> u32| codes.windows(2).all(|pair| step(pair[0]) == pair[1]);
    // After 9 comes 0 on the keyboard.
    let digits = text.chars().all(|c| c.is_ascii_digit())
        && text.as_bytes().windows(2).all(|pair| (pair[0] - b'0' + 1) % 10 == pair[1] - b'0');
    steps(|code| code + 1) || steps(|code| code.wrapping_sub(1)) || digits
}

/// One part of up to four characters, again and again.
fn repeats(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    (1..=4).any(|part| chars.len() > part && chars.iter().zip(&chars[part..]).all(|(one, next)| one == next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everybody_tries_is_refused() {
        let own = ["ada.lovelace@example.org", "Ada Lovelace"];
        for bad in [
            "password",
            "Password1",
            "PASSWORD2026!",
            "iloveyou",
            "12345678",
            "1234567890",
            "87654321",
            "abcdefgh",
            "aaaaaaaa",
            "abababab",
            "abcabcabc",
            "12341234",
            "ada.lovelace",
            "Ada.Lovelace99",
            "ada lovelace",
            "ada.lovelace@example.org",
        ] {
            assert!(is_common(bad, &own), "{bad}");
        }
        for good in [
            "longenough1",
            "a quiet harbour at dawn 7",
            "tr0mb0ne-lid",
            "пароль-свой-и-длинный",
            "12345679",
            "lovelace is here",
        ] {
            assert!(!is_common(good, &own), "{good}");
        }
    }
}
