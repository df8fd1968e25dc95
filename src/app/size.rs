//! Sizes of files, for people.

/// A size with its unit.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1 << 10 {
        return format!("{bytes} bytes");
    }
    let (mut whole, mut unit) = (bytes, 0);
    while whole >= 1 << 20 && unit + 1 < UNITS.len() {
        whole >>= 10;
        unit += 1;
    }
    let tenths = whole * 10 / 1024;
    let fraction = if tenths < 100 && tenths % 10 > 0 { format!(".{}", tenths % 10) } else { String::new() };
    format!("{}{fraction} {}", tenths / 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_people() {
        let check = |bytes: u64, wanted: &str| assert_eq!(size(bytes), wanted);
        check(17, "17 bytes");
        check(1 << 10, "1 KiB");
        check(1_536, "1.5 KiB");
        check(25 << 20, "25 MiB");
        check(1 << 30, "1 GiB");
    }
}
