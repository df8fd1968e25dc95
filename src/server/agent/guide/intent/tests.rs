use super::*;

fn calculate(expression: &str) -> Call {
    Call::Calculate { expression: expression.to_owned() }
}

fn date(expression: &str) -> Call {
    Call::DateTime { expression: expression.to_owned(), zone: None }
}

fn date_in(expression: &str, zone: &str) -> Call {
    Call::DateTime { expression: expression.to_owned(), zone: Some(zone.to_owned()) }
}

fn conversations(query: &str) -> Call {
    Call::SearchConversations { query: query.to_owned() }
}

fn docs(query: &str) -> Call {
    Call::SearchDocs { query: query.to_owned() }
}

fn check(question: &str, calls: &[Call]) {
    assert_eq!(plan(question).calls, calls, "for `{question}`");
}

#[test]
fn arithmetic() {
    check("What is 2 + 2?", &[calculate("2 + 2")]);
    check("Hello, could you please calculate (2+3)*7 for me?", &[calculate("(2 + 3) * 7")]);
    check("how much is 15% of 80", &[calculate("15% of 80")]);
    check("what's 3 km in miles?", &[calculate("3 km in miles")]);
    check("convert 5 ft 3 in to cm", &[calculate("5 ft 3 inches to cm")]);
    check("How many metres are in 3 km?", &[calculate("3 km in metres")]);
    check("How many seconds in a day?", &[calculate("1 day in seconds")]);
    check("What is the square root of 2?", &[calculate("sqrt(2)")]);
    check("what is 7 squared plus 1", &[calculate("7^2 + 1")]);
    check("12 x 12", &[calculate("12 * 12")]);
    check("5!", &[calculate("5!")]);
    check("24/7", &[calculate("24 / 7")]);
    check("2,480 times 3 thanks", &[calculate("2480 * 3")]);
}

/// The tool says best why there is no result.
#[test]
fn arithmetic_without_a_value() {
    for expression in
        ["1/0", "10^10^10", "2480,5 + 1", "200 + 10%", "3 km + 2 kg", "3 km plus 2 kg", "(1+2", "sqrt(-4)"]
    {
        check(&format!("What is {expression}?"), &[calculate(expression)]);
    }
    check("100000!", &[calculate("100000!")]);
}

#[test]
fn not_arithmetic() {
    check("2026", &[docs("2026")]);
    check("100", &[docs("100")]);
    check("-5", &[docs("5")]);
    check("3 km", &[docs("3 km")]);
    check("pi", &[docs("pi")]);
    check("roll a d6", &[docs("roll d6")]);
    check("how many people live in Berlin", &[docs("many people live Berlin")]);
}

#[test]
fn dates() {
    check("What is the date?", &[date("today")]);
    check("what day is it today?", &[date("today")]);
    check("What's today's date", &[date("today")]);
    check("What time is it?", &[date("now")]);
    check("What time is it in Tokyo?", &[date_in("now", "Tokyo")]);
    check("What is the current time in new york?", &[date_in("now", "new york")]);
    check("tomorrow in Asia/Tokyo", &[date_in("tomorrow", "Asia/Tokyo")]);
    check("what time is it in 3 hours", &[date("in 3 hours")]);
    check("What day is 2026-12-25 + 3 days?", &[date("2026-12-25 + 3 days")]);
    check("what weekday is 20 November 2026", &[date("20 November 2026")]);
    check("When is next friday?", &[date("next friday")]);
    check("what is the date 90 days after 2026-11-20?", &[date("90 days after 2026-11-20")]);
    check("the day after tomorrow", &[date("day after tomorrow")]);
    check("How many days until 2026-12-25?", &[date("days until 2026-12-25")]);
    check("how long until 2026-12-25?", &[date("days until 2026-12-25")]);
    let between = date("days between 2026-01-01 and 2026-12-25");
    check("How many days are there between 2026-01-01 and 2026-12-25?", &[between]);
    let berlin = "2026-11-20T10:00 Europe/Berlin in Asia/Tokyo";
    check(&format!("What is {berlin}?"), &[date(berlin)]);
}

#[test]
fn dates_that_the_tool_refuses() {
    check("2026-02-30", &[date("2026-02-30")]);
    check("what weekday is 11/20/2026?", &[date("11/20/2026")]);
    check("what time is it in Atlantis", &[date_in("now", "Atlantis")]);
    check("what is the time in the log format", &[docs("time log format")]);
}

#[test]
fn earlier_conversations() {
    check("search my conversations for rust lifetimes", &[conversations("rust lifetimes")]);
    check("find rust in my chats", &[conversations("rust")]);
    check("Find the conversation about sourdough", &[conversations("sourdough")]);
    check("Can you look for 'deploy script' in my message history?", &[conversations("deploy script")]);
    check("search chats for postgres", &[conversations("postgres")]);
    check("where is the recipe in our conversations?", &[conversations("recipe")]);
    check("What did I say about taxes last week?", &[conversations("taxes")]);
    check("what did you tell me about salt and pepper?", &[conversations("salt pepper")]);
    check("did we ever talk about NATS?", &[conversations("NATS")]);
    check("Have we discussed the budget?", &[conversations("budget")]);
    check("remember when we talked about llamas?", &[conversations("llamas")]);
    check("search my history", &[docs("search conversations")]);
}

#[test]
fn questions_about_conversations_in_general() {
    check("How do I search my conversations?", &[docs("search conversations")]);
    check("can I delete a conversation?", &[docs("delete conversation")]);
    check("show me how messages work", &[docs("messages work")]);
}

#[test]
fn documentation() {
    check("How does the heartbeat work?", &[docs("heartbeat work")]);
    check("what is love", &[docs("love")]);
    check("SELECT * FROM users; DROP TABLE users", &[docs("SELECT users DROP TABLE")]);
    check("<script>alert('x')</script>", &[docs("script alert x")]);
    check("日本語で質問", &[docs("日本語で質問")]);
    for greeting in ["hello", "Hi!", "help", "What can you do?", "  Good  morning. "] {
        check(greeting, &[docs("guide agent tools")]);
    }
    for nothing in ["", "   ", "???", "the of and", "🍎🍌", "\u{0}", "...", "!!!", "is it?"] {
        check(nothing, &[docs("guide what can you do")]);
    }
}

#[test]
fn several_at_once() {
    let both = [calculate("17.5% of 2480"), calculate("3 km in metres")];
    check("What is 17.5 % of 2,480 plus 3 km in metres?", &both);
    check("17.5% of 2480 and 3 km in metres", &both);
    check("20% of 50, then 3 + 4", &[calculate("20% of 50"), calculate("3 + 4")]);
    check("what is 2+2; what time is it in Tokyo", &[calculate("2 + 2"), date_in("now", "Tokyo")]);
    check("What is 2+2 and what day is 2026-12-25 + 3 days?", &[calculate("2 + 2"), date("2026-12-25 + 3 days")]);
    check(
        "What is 2+2? What day is it in Tokyo? 3*3",
        &[calculate("2 + 2"), date_in("today", "Tokyo"), calculate("3 * 3")],
    );
    check("What is 2+2 and how do threads work?", &[calculate("2 + 2"), docs("threads work")]);
    check("what did I say about taxes and what is 5% of 300", &[conversations("taxes"), calculate("5% of 300")]);
    check("1/0 and 2+2", &[calculate("1/0"), calculate("2 + 2")]);
    check("2+2, my friend", &[calculate("2 + 2")]);
    let four = [calculate("1 + 1"), calculate("2 + 2"), calculate("3 + 3"), calculate("4 + 4")];
    check("1+1, 2+2, 3+3, 4+4", &four);
    check("1+1, 2+2, 3+3, 4+4, 5+5 and how do threads work", &four);
    check("how do threads work and 1+1, 2+2, 3+3, 4+4", &[&[docs("threads work")], &four[..3]].concat());
}

/// What can be one calculation is one.
#[test]
fn joined() {
    check("2+2 plus 3+3", &[calculate("2 + 2 + 3 + 3")]);
    check("what is 5 % of 300 plus 20?", &[calculate("5% of 300 + 20")]);
    check("3 km plus 200 m", &[calculate("3 km + 200 m")]);
    check("2+2 and 3+3", &[calculate("2 + 2"), calculate("3 + 3")]);
}

#[test]
fn thoughts() {
    let thoughts = |question: &str| plan(question).thoughts.join("\n");
    let says = |question: &str, words: &str| {
        assert!(thoughts(question).contains(words), "`{words}` for `{question}`: {}", thoughts(question));
    };
    says("anything", "I have no model");
    says("2+2", "arithmetic: `2 + 2`");
    says("1/0", "may have no value: `1/0`");
    says("17.5% of 2480 plus 3 km in metres", "cannot be added");
    says("what time is it in Tokyo", "a date or a time: `now in Tokyo`");
    says("did we talk about NATS", "search them for `NATS`");
    says("how does the heartbeat work", "documentation for `heartbeat work`");
    says("1+1, 2+2, 3+3, 4+4, 5+5", "at most");
    assert!(!thoughts("17.5% of 2480 and 3 km in metres").contains("cannot be added"));
    assert!(!thoughts("1+1, 2+2, 3+3, 4+4, please").contains("at most"));
}

#[test]
fn long_questions() {
    let long = format!("heartbeat {}", "x".repeat(10_000_000));
    check(&long, &[docs(&format!("heartbeat {}", "x".repeat(64)))]);
    assert!(plan(&long).thoughts.iter().any(|thought| thought.contains("first 2000 characters")));
    let many = plan(&"2+2 and what is 100000! plus 1 km, ".repeat(100_000));
    assert!((1..=MAX_CALLS).contains(&many.calls.len()), "{many:?}");
    let words: Vec<String> = (0..400).map(|n| format!("word{n}")).collect();
    check(&words.join(" "), &[docs(&words[..12].join(" "))]);
}
