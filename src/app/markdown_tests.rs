use super::*;

fn check(source: &str, html: &str) {
    assert_eq!(blocks(source).concat(), html, "{source:?}");
}

#[test]
fn blocks_of_every_kind() {
    check("Hello *you*", "<p>Hello <em>you</em></p>");
    check("# One\n\n###### Six", "<h2>One</h2><h6>Six</h6>");
    check("- a\n- b", "<ul><li>a</li><li>b</li></ul>");
    check("3. a", "<ol start=\"3\"><li>a</li></ol>");
    check("> q", "<blockquote><p>q</p></blockquote>");
    check("a\n\n---\n\nb", "<p>a</p><hr><p>b</p>");
    check("`x < y`", "<p><code>x &lt; y</code></p>");
    check(
        "| a | b |\n|---|--:|\n| 1 | 2 |",
        "<div class=\"table-wrap\" tabindex=\"0\"><table><thead><tr><th>a</th><th align=\"right\">b</th></tr></thead>\
         <tbody><tr><td>1</td><td align=\"right\">2</td></tr></tbody></table></div>",
    );
}

#[test]
fn code_keeps_its_language_and_offers_a_copy() {
    let html = blocks("```rust\nfn main() {}\n```").concat();
    assert!(html.contains("<span class=\"code-lang\">rust</span>"), "{html}");
    assert!(html.contains("class=\"copy\""), "{html}");
    assert!(html.contains("fn main() {}\n</code>"), "{html}");
    // A block that is still being written is a block already.
    assert_eq!(blocks("text\n\n```py\nprint(").len(), 2);
}

#[test]
fn nothing_hostile_survives() {
    for source in [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "a <b onclick=alert(1)>b</b>",
        "![x](javascript:alert(1))",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "[x](vbscript:x)",
        "[x](<java\tscript:alert(1)>)",
        "[x](//evil.example)",
        "[x](/\\evil.example)",
        "<a href=\"javascript:alert(1)\">x</a>",
        "[x](https://a.example/\"onmouseover=alert(1))",
        "```\"><script>alert(1)</script>\nx\n```",
        "<style>*{display:none}</style>",
        "<!-- --><svg/onload=alert(1)>",
        "<javascript:alert(1)>",
    ] {
        let html = blocks(source).concat();
        for tag in [
            "<script",
            "<img",
            "<svg",
            "<style",
            "<b ",
            "<a href=\"java",
            "<a href=\"data",
            "<a href=\"vb",
            "<a href=\"//",
            "<a href=\"/\\",
        ] {
            assert!(!html.to_ascii_lowercase().contains(tag), "{source:?} became {html:?}");
        }
        assert!(!html.contains("\" onmouseover") && !html.contains("\"onmouseover"), "{source:?} became {html:?}");
    }
}

#[test]
fn links_lead_where_a_reader_expects() {
    check(
        "[a](https://a.example/?x=1&y=2)",
        "<p><a href=\"https://a.example/?x=1&amp;y=2\" target=\"_blank\" rel=\"noopener noreferrer nofollow\">a</a></p>",
    );
    check("[a](/t/1)", "<p><a href=\"/t/1\">a</a></p>");
    check("[a](ftp://x)", "<p>a</p>");
}

#[test]
fn a_growing_answer_changes_only_its_last_block() {
    let whole = "# Title\n\nSome text.\n\n- one\n- two\n\n```sh\nls\n```\n\nThe end.";
    let finished = blocks(whole);
    for (end, _) in whole.char_indices() {
        let so_far = blocks(&whole[..end]);
        let stable = so_far.len().saturating_sub(1);
        assert_eq!(so_far[..stable], finished[..stable], "{:?}", &whole[..end]);
    }
}
