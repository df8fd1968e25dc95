use proptest::prelude::*;

use super::*;

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend([8, 6, 0, 0, 0, 0, 0, 0, 0]);
    bytes
}

fn kind(content: &[u8], declared: Option<&str>) -> Result<String, String> {
    let mut watch = Watch::default();
    watch.see(content);
    watch.kind(declared)
}

#[test]
fn content_says_what_a_file_is() {
    let check = |content: &[u8], declared: Option<&str>, wanted: &str| {
        assert_eq!(kind(content, declared).as_deref(), Ok(wanted), "{declared:?}");
    };
    check(&png(4, 4), Some("image/png"), "image/png");
    check(&png(4, 4), None, "image/png");
    check(b"%PDF-1.7\n1 0 obj", Some("application/pdf"), "application/pdf");
    check(b"a,b\n1,2\n", Some("text/csv; charset=utf-8"), "text/csv");
    check(b"{}", Some("application/json"), "application/json");
    check("Grüße".as_bytes(), None, "text/plain");
    check(b"<svg xmlns='http://www.w3.org/2000/svg'/>", Some("image/svg+xml"), "image/svg+xml");
    check(b"<html></html>", Some("application/octet-stream"), "text/plain");
    check(b"hello", Some("text/html\r\nX: 1"), "text/plain");
    check(b"MZ is also how a sentence can begin.", None, "text/plain");
    check(b"PK\x03\x04\x14\0\0\0\x08\0", Some("application/zip"), "application/zip");
    check(&[0xff, 0xfe, 0, 1, 2], Some("text/plain"), "application/octet-stream");
}

#[test]
fn a_photo_with_much_before_its_size() {
    let photo = |height: u16| {
        let mut bytes = vec![0xff, 0xd8];
        for kind in [0xe0, 0xe1, 0xe2, 0xff, 0xe2, 0xed, 0xfe] {
            bytes.extend([0xff, kind]);
            if kind != 0xff {
                bytes.extend(60_002_u16.to_be_bytes());
                bytes.extend(std::iter::repeat_n(0xff, 60_000));
            }
        }
        bytes.extend([0xff, 0xc2, 0, 17, 8]);
        bytes.extend(height.to_be_bytes());
        bytes.extend([0x0f, 0xa0, 3]);
        bytes
    };
    assert!(photo(3_000).len() > HEAD);
    assert_eq!(kind(&photo(3_000), Some("image/jpeg")).as_deref(), Ok("image/jpeg"));
    assert!(kind(&photo(60_000), None).expect_err("too large").contains("4000 by 60000"));
    let cut = photo(3_000).len() - 4;
    assert!(kind(&photo(3_000)[..cut], None).expect_err("damaged").contains("how large"));
    let mut parts = Watch::default();
    photo(3_000).chunks(7).for_each(|part| parts.see(part));
    assert_eq!(parts.kind(None).as_deref(), Ok("image/jpeg"));
}

#[test]
fn what_is_not_taken() {
    let check = |content: &[u8], declared: Option<&str>, why: &str| {
        let said = kind(content, declared).expect_err(why);
        assert!(said.contains(why), "{said}");
    };
    check(&[b"\x7fELF\x02\x01\x01".as_slice(), &[0; 64]].concat(), None, "programs");
    check(b"PK\x03\x04\x14\0\0\0\x08\0", Some("image/png"), "called image/png");
    check(b"just text", Some("application/pdf"), "called application/pdf");
    check(&png(4, 4), Some("image/jpeg"), "its content is image/png");
    // A few bytes that say they unfold into an ocean of pixels.
    check(&png(100_000, 100_000), Some("image/png"), "100000 by 100000");
    check(&png(u32::MAX, u32::MAX), None, "100 million");
    check(&png(0, 5), None, "0 by 5");
    check(b"\x89PNG\r\n\x1a\n\0\0", None, "how large");
}

proptest! {
    #[test]
    fn cuts_change_nothing(content: Vec<u8>, text: String, cuts in prop::collection::vec(0_usize..200, 0..8)) {
        for whole in [content, text.into_bytes()] {
            let mut parts = Watch::default();
            let mut rest = whole.as_slice();
            for cut in &cuts {
                let (part, more) = rest.split_at((*cut).min(rest.len()));
                parts.see(part);
                rest = more;
            }
            parts.see(rest);
            prop_assert_eq!(parts.kind(None), kind(&whole, None));
        }
    }
}
