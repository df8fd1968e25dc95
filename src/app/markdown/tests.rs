use super::*;

fn html(source: &str) -> String {
    blocks(source, false).concat()
}

fn check(source: &str, wanted: &str) {
    assert_eq!(html(source), wanted, "{source:?}");
}

/// The words that a reader sees, without the elements around them.
fn shown(source: &str) -> String {
    let html = html(source);
    let mut out = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out
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
        "<div class=\"table-wrap\" tabindex=\"0\" role=\"group\" aria-label=\"Table\"><table><thead><tr><th>a</th><th align=\"right\">b</th></tr></thead>\
         <tbody><tr><td>1</td><td align=\"right\">2</td></tr></tbody></table></div>",
    );
}

#[test]
fn code_keeps_its_language_and_offers_a_copy() {
    let html = html("```rust\nfn main() {}\n```");
    assert!(html.contains("<span class=\"code-lang\">rust</span>"), "{html}");
    assert!(html.contains("copy\""), "{html}");
    assert!(html.contains("fn main() {}\n</code>"), "{html}");
    // A block that is still being written is a block already.
    assert_eq!(blocks("text\n\n```py\nprint(", true).len(), 2);
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
        let html = html(source);
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
    // An image is never fetched; what it shows leads to it.
    check("[![a](https://a.example/i.png)](/docs)", "<p><a href=\"/docs\">a</a></p>");
    for (source, url, name) in [
        ("see https://a.example/x_y_z.", "https://a.example/x_y_z", "https://a.example/x_y_z"),
        ("(https://a.example/w_(x))", "https://a.example/w_(x)", "https://a.example/w_(x)"),
        ("see www.a.example, please", "https://www.a.example", "www.a.example"),
        ("write to ada@a.example.", "mailto:ada@a.example", "ada@a.example"),
        ("<ada@a.example>", "mailto:ada@a.example", "ada@a.example"),
        ("<https://a.example>", "https://a.example", "https://a.example"),
        ("请看https://a.example/x。谢谢", "https://a.example/x", "https://a.example/x"),
        ("**https://a.example**", "https://a.example", "https://a.example"),
        ("| https://a.example |\n|-|", "https://a.example", "https://a.example"),
        ("![A cat](https://a.example/cat.png)", "https://a.example/cat.png", "A cat"),
        ("![](https://a.example/cat.png)", "https://a.example/cat.png", "https://a.example/cat.png"),
    ] {
        let link = format!("<a href=\"{url}\" target=\"_blank\" rel=\"noopener noreferrer nofollow\">{name}</a>");
        let html = html(source);
        assert_eq!((html.matches("<a ").count(), html.contains(&link)), (1, true), "{source:?} became {html}");
    }
    for source in ["main.rs and a.b", "`https://a.example`", "node.js", "ftp://a.example/x", "a@b"] {
        assert!(!html(source).contains("<a "), "{source:?}");
    }
    assert_eq!(
        plain("<b> https://a.example/?a&b"),
        "&lt;b&gt; <a href=\"https://a.example/?a&amp;b\" target=\"_blank\" rel=\"noopener noreferrer nofollow\">\
         https://a.example/?a&amp;b</a>"
    );
}

#[test]
fn a_growing_answer_changes_only_its_last_block() {
    let whole = "# Title\n\nSome text.\n\n- one\n- two\n\n```sh\nls\n```\n\nA formula \\(x^2\\) and $$y$$.\n\nThe end.";
    let finished = blocks(whole, true);
    for (end, _) in whole.char_indices() {
        let so_far = blocks(&whole[..end], true);
        let stable = so_far.len().saturating_sub(1);
        assert_eq!(so_far[..stable], finished[..stable], "{:?}", &whole[..end]);
    }
}

#[test]
fn nothing_flashes_as_a_heading() {
    let whole = "Here are the points:\n- first\n- second\n\nA rule below:\n\n---\n> quoted:\n> - third";
    for (end, _) in whole.char_indices() {
        let so_far = blocks(&whole[..end], true).concat();
        assert!(!so_far.contains("<h2") && !so_far.contains("<h3"), "{:?} became {so_far}", &whole[..end]);
    }
    // Once more has come, or all, the line means what it says.
    assert!(blocks("A title\n---\n\ntext", true).concat().contains("<h3"));
    assert!(html("A title\n---").contains("<h3"));
}

#[test]
fn html_is_shown_as_written() {
    let source = "<ul>\n  <li>One</li>\n  <li>Two</li>\n</ul>";
    check(
        &format!("Below:\n\n{source}\n\nend"),
        "<p>Below:</p><p class=\"as-written\">&lt;ul&gt;\n  &lt;li&gt;One&lt;/li&gt;\n  \
         &lt;li&gt;Two&lt;/li&gt;\n&lt;/ul&gt;</p><p>end</p>",
    );
    assert_eq!(
        shown("Vec<String> and <channel>, List<int> x"),
        "Vec&lt;String&gt; and &lt;channel&gt;, List&lt;int&gt; x"
    );
    // A line break in a cell is what tables have no other sign for.
    assert!(html("| a |\n|---|\n| one<br>two<br/>three<BR /> |").contains("<td>one<br>two<br>three<br></td>"));
}

#[test]
fn tasks_and_remarks_and_footnotes() {
    let tasks = html("- [ ] open\n- [x] done\n- plain");
    assert!(tasks.contains("<li><input type=\"checkbox\" disabled aria-label=\"Not done\"> open</li>"), "{tasks}");
    assert!(tasks.contains("<li><input type=\"checkbox\" disabled checked aria-label=\"Done\"> done</li>"), "{tasks}");
    let remark = html("> [!WARNING]\n> Hot.");
    assert!(remark.contains("data-kind=\"warning\"><p class=\"alert-title\">Warning</p><p>Hot.</p>"), "{remark}");

    let notes = blocks("One[^b] two[^a] three[^b].\n\n[^a]: *First* note.\n[^b]: Second.\n\nThe end.", false);
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert!(!notes.concat().contains("[^"), "{notes:?}");
    let positions: Vec<_> =
        ["data-footnote=\"1\"", "data-footnote=\"2\""].iter().map(|name| notes[0].find(name)).collect();
    assert!(positions[0] < positions[1] && positions[0].is_some(), "{notes:?}");
    let (second, first) = (notes[2].find("Second."), notes[2].find("<em>First</em> note."));
    assert!(second.is_some() && second < first, "numbered in the order of the text: {notes:?}");
    // What has no note is text.
    assert_eq!(shown("a[^nowhere]"), "a[^nowhere]");
}

#[test]
fn emphasis_beside_cjk() {
    for (source, strong) in [
        ("これは**「強調」**です。", "「強調」"),
        ("**Markdown（マークダウン）**は軽量です。", "Markdown（マークダウン）"),
        ("**粗体。**后续", "粗体。"),
        ("是**“强调”**吗", "“强调”"),
        ("이것은 **'강조'**입니다", "&#39;강조&#39;"),
        ("**普通**文字", "普通"),
    ] {
        let html = html(source);
        assert!(html.contains(&format!("<strong>{strong}</strong>")), "{source:?} became {html}");
        assert!(!html.contains('\u{FDD0}'), "{html:?}");
    }
    // What is escaped, and what is code, stays.
    assert_eq!(shown("\\*です\\*"), "*です*");
    check("`**「a」**です`", "<p><code>**「a」**です</code></p>");
}

#[test]
fn formulas_are_marked_and_their_sources_unharmed() {
    let math = |source: &str| {
        let html = html(source);
        let inner = html.split("data-rich=\"math\"").nth(1)?.split_once('>')?.1.split_once("</span>")?.0.to_owned();
        Some((inner, html.contains("data-display=\"true\"")))
    };
    for (source, formula, display) in [
        (r"so \(a_1 * b_2 * c\) holds", r"\(a_1 * b_2 * c\)", false),
        ("so $$\\frac{a}{b}$$ holds", "$$\\frac{a}{b}$$", true),
        ("\\[\na \\\\ b_{*}\n\\]", "\\[\na \\\\ b_{*}\n\\]", true),
        ("let $x$ be", "$x$", false),
        ("and $a^2 + b^2 = c^2$.", "$a^2 + b^2 = c^2$", false),
        (r"**\(x\)** is", r"\(x\)", false),
        (r"| \(x_1\) |", r"\(x_1\)", false),
    ] {
        assert_eq!(math(source), Some((formula.to_owned(), display)), "{source:?} became {}", html(source));
    }
    for source in [
        "It costs **$4** or $5, up to $10K flat.",
        "US$5-US$10 and $3/$4",
        "$HOME/$PATH or $FOO",
        "`$x$` and `\\(x\\)`",
        "```\n$$x^2$$ \\[x\\]\n```",
        "    \\(x\\) in an indented block",
        "a \\[citation needed\\] in prose",
        "https://a.example/\\(x\\)",
        "\\\\(x)",
    ] {
        let html = html(source);
        let code = html.contains("<code>");
        assert!(code || math(source).is_none() || source.starts_with("http"), "{source:?} became {html}");
    }
    // Code keeps what it says, to the letter.
    assert!(html("```\n\\(a_1\\) $$x$$\n```").contains("<code>\\(a_1\\) $$x$$\n</code>"));
    assert_eq!(shown("`\\(a_1\\)`"), "\\(a_1\\)");
    // What has not ended is shown as it is written.
    let growing = blocks("so \\(a_1 * b_2 *", true).concat();
    assert!(growing.contains("<span class=\"math\">\\(a_1 * b_2 *</span>"), "{growing}");
}

/// Texts that would take minutes, or the stack, or a browser's patience. None is timed: an implementation that takes the square of
/// their length does not end within a test's time.
#[test]
fn bombs_are_bounded() {
    let cells =
        format!("|{}\n|{}\n{}", "a|".repeat(100), "-|".repeat(100), format!("|{}\n", "x|".repeat(100)).repeat(1_000));
    let html_of_cells = html(&cells);
    assert!(html_of_cells.matches("<td>").count() <= 20_100);
    assert!(html_of_cells.contains("more rows than are shown"));

    for bomb in [
        ">".repeat(10_000),
        format!("{}a", "> ".repeat(10_000)),
        format!("{}a", "- ".repeat(5_000)),
        format!("{}a{}", "*_".repeat(10_000), "_*".repeat(10_000)),
    ] {
        let html = html(&bomb);
        let (mut depth, mut deepest) = (0_i32, 0);
        for tag in html.split('<').skip(1).filter(|tag| !tag.starts_with("br") && !tag.starts_with("hr")) {
            depth += if tag.starts_with('/') { -1 } else { 1 };
            deepest = deepest.max(depth);
        }
        assert!(depth == 0 && deepest <= 101, "{depth} {deepest}: {:?}", &bomb[..20]);
    }
    for piece in [
        "\\(",
        "\\[a",
        "$$ a ",
        "$a ",
        "`a ",
        "``a` ",
        "[",
        "![",
        "*a ",
        "**「",
        "<a",
        "[^1]",
        "a@",
        "www.",
        "https://a.b/",
    ] {
        assert!(!html(&piece.repeat(200_000 / piece.len())).is_empty(), "{piece:?}");
        assert!(!blocks(&piece.repeat(200_000 / piece.len()), true).is_empty(), "{piece:?}");
    }
    let references = format!("{}\n\n[a]: https://a.example/{}", "[a]".repeat(30_000), "x".repeat(10_000));
    assert!(html(&references).len() < 40 << 20, "a reference's address is not written out without end");
    let long = "# a\n".repeat(400_000);
    assert_eq!(blocks(&long, false).len(), 1, "a text of more than a megabyte is shown as it is written");
}
