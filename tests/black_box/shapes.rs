//! What model servers of the field really send and want, seen by the person in the chat. Each case names the public report of
//! the client that it broke; the many shapes of a single chunk are tested where they are read, in `agent/model`.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use serde_json::json;

use crate::support::{
    provider::{API_KEY, Provider, Request, always, text},
    rules::{check_answer, check_run, ended, payloads, say, start_run},
    script::{Reply, Stream},
    server::{Server, Setup},
    socket::Socket,
    user::User,
};

/// A server whose assistant is played by this script, and its user's socket.
async fn play(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> (Provider, Server, Socket) {
    let provider = Provider::start(script).await;
    let server = Setup::new().assistant(&provider).start().await;
    let socket = User::dev(&server).await.connect().await;
    (provider, server, socket)
}

fn whole(content_type: &str, body: &str) -> Reply {
    Reply::Whole { status: 200, headers: vec![("content-type", content_type.to_owned())], body: body.to_owned() }
}

#[tokio::test]
async fn the_answer_is_read_whatever_holds_it() {
    let chunk = |text: &str| {
        json!({ "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": null }] }).to_string()
    };
    let end = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] }).to_string();
    let events =
        |eol: &str| [chunk("It "), chunk("works."), end.clone()].map(|data| format!("data: {data}{eol}{eol}")).concat();
    let completion = json!({ "object": "chat.completion", "choices": [{ "index": 0, "message": { "role": "assistant", "content": "It works." }, "finish_reason": "stop" }] }).to_string();
    let called_whole = [("It ", json!(null)), ("works.", json!(null)), ("", json!("stop"))].map(|(text, reason)| {
        let choice = json!({ "index": 0, "finish_reason": reason, "delta": { "content": text }, "message": { "content": "It works." } });
        format!("data: {}\n\n", json!({ "object": "chat.completion", "choices": [choice] }))
    });
    let called_whole = called_whole.concat();
    let cases = [
        ("openai/openai-python#3819", whole("text/event-stream", &format!("\u{feff}{}", events("\n")))),
        ("kubernetes-sigs/inference-perf#781", whole("text/event-stream", &events("\r"))),
        ("microsoft/foundry-dev-tools#195", whole("application/json", &events("\n"))),
        ("xiaoliu10/claude-code-router-next#45", whole("text/plain; charset=utf-8", &events("\n"))),
        ("media types have no case", whole("Text/Event-Stream", &events("\r\n"))),
        ("openclaw/openclaw#102349", whole("application/json", &completion)),
        ("decolua/9router#3301", whole("text/event-stream", &completion)),
        ("Flask's own media type", whole("text/html; charset=utf-8", &events("\n"))),
        ("perplexityai/api-discussion#175", whole("text/event-stream", &called_whole)),
        (
            "comments behind the end",
            (0..100)
                .fold(Stream::new().text("It works.").finish("stop"), |stream, _| {
                    stream.raw(": ping\n\n").pause(Duration::from_millis(400))
                })
                .close(),
        ),
        ("JSON lines", whole("application/x-ndjson", &[chunk("It "), chunk("works."), end.clone()].join("\n"))),
        ("npuichigo/openai_trtllm#31", Stream::new().text("It works.").finish("stop").abort()),
        (
            "a stream that stays open after its end",
            Stream::new().text("It works.").finish("stop").pause(Duration::from_secs(30)).close(),
        ),
    ];
    let tests = cases.map(|(report, reply)| {
        Box::pin(async move {
            let (_provider, _server, socket) = play(always(reply)).await;
            let begun = Instant::now();
            let run = start_run(&socket, "assistant", "Does it work?").await;
            let end = ended(&socket, &run).await;
            assert_eq!(end["payload"]["status"], "completed", "{report}: {end}");
            assert!(begun.elapsed() < Duration::from_secs(25), "{report}: the end was not waited for");
            check_answer(&socket.frames(), &run, "It works.");
        })
    });
    stream::iter(tests).buffer_unordered(3).collect::<Vec<()>>().await;
}

#[tokio::test]
async fn an_end_that_is_no_answer_is_said() {
    let cases = [
        ("langchain4j/langchain4j#6376", Stream::new().text("The recipe").end("content_filter"), "filter"),
        ("an answer cut at its limit", Stream::new().text("Well, ").end("length"), "limit of tokens"),
        ("BerriAI/litellm#19403", Stream::new().end("stop"), "without a word"),
        (
            "lmstudio-ai/lmstudio-bug-tracker#1602",
            Stream::new().thinking("reasoning_content", "let me see").end("stop"),
            "gave no answer",
        ),
        ("vllm-project/vllm#53256", Stream::new().end("tool_calls"), "tool_calls"),
        ("elastic/kibana#227096", Stream::new().end("MALFORMED_FUNCTION_CALL"), "MALFORMED_FUNCTION_CALL"),
    ];
    let tests = cases.map(|(report, reply, words)| {
        Box::pin(async move {
            let (_provider, _server, socket) = play(always(reply)).await;
            let run = start_run(&socket, "assistant", "And?").await;
            let end = ended(&socket, &run).await;
            assert_eq!(end["payload"]["code"], "agent_failed", "{report}: {end}");
            assert!(end["payload"]["message"].as_str().is_some_and(|m| m.contains(words)), "{report}: {end}");
            check_run(&socket.frames(), &run);
        })
    });
    stream::iter(tests).buffer_unordered(3).collect::<Vec<()>>().await;
}

#[tokio::test]
async fn a_closing_tag_alone_makes_what_was_said_a_thought() {
    // logancyang/obsidian-copilot#2153
    let reply = Stream::new().text("let me see").text("</thi").text("nk>\n\n").text("It works.").end("stop");
    let (_provider, _server, socket) = play(always(reply)).await;
    let run = start_run(&socket, "assistant", "Does it work?").await;
    ended(&socket, &run).await;
    let frames = socket.frames();
    check_run(&frames, &run);
    check_answer(&frames, &run, "It works.");
    let thoughts = payloads(&frames, &run, "agent_thinking");
    assert!(thoughts.iter().any(|thought| thought["thought"] == "let me see"), "{thoughts:?}");
}

#[tokio::test]
async fn what_a_server_refuses_by_name_is_left_out_and_remembered() {
    let (provider, _server, socket) = play(|request| {
        if !request.body["tools"].is_null() {
            // ollama/ollama#6027
            return Reply::error(400, "gemma3:4b does not support tools");
        }
        if !request.body["stream_options"].is_null() {
            // earendil-works/pi#596
            return Reply::error(422, "stream_options: Extra inputs are not permitted");
        }
        Reply::text("It works.")
    })
    .await;
    let run = start_run(&socket, "assistant", "Does it work?").await;
    assert_eq!(ended(&socket, &run).await["payload"]["status"], "completed");
    let notes = payloads(&socket.frames(), &run, "agent_progress");
    assert!(notes.iter().any(|note| note["message"].to_string().contains("takes no tools")), "{notes:?}");
    assert_eq!(provider.requests().len(), 3, "tools, then stream options, then neither");
    let next = say(&socket, &run.thread, "And now?").await;
    assert_eq!(ended(&socket, &next).await["payload"]["status"], "completed");
    assert_eq!(provider.requests().len(), 4, "both were remembered");
    let other = start_run(&socket, "assistant", "In a new conversation?").await;
    assert_eq!(ended(&socket, &other).await["payload"]["status"], "completed");
    let requests = provider.requests();
    assert!(!requests[4].body["tools"].is_null(), "a new conversation finds out whether the server takes tools now");
    assert!(requests[4].body["stream_options"].is_null(), "which costs a person nothing to miss");
}

#[tokio::test]
async fn a_setup_that_takes_no_tools_fails_with_500() {
    // defilantech/LLMKube#126, ggml-org/llama.cpp#10920
    for words in ["tools param requires --jinja flag", "Unsupported param: tools"] {
        let (provider, _server, socket) =
            play(
                move |request| {
                    if request.body["tools"].is_null() { Reply::text("It works.") } else { Reply::error(500, words) }
                },
            )
            .await;
        let run = start_run(&socket, "assistant", "Does it work?").await;
        assert_eq!(ended(&socket, &run).await["payload"]["status"], "completed", "{words}");
        assert_eq!(provider.requests().len(), 2, "{words}");
    }
}

#[tokio::test]
async fn a_failure_that_passes_is_asked_again_also_within_a_stream() {
    // tailcallhq/forgecode#2595, huggingface/tau#556, lsdefine/GenericAgent#753
    let cases = [
        (json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } }), 2),
        (json!({ "error": { "type": "server_error", "message": "The server had an error" } }), 2),
        (json!({ "error": { "code": "rate_limit_exceeded", "message": "slow down" } }), 2),
        (json!({ "error": { "type": "invalid_request_error", "message": "no" } }), 1),
    ];
    for (failure, requests) in cases {
        let first = std::sync::atomic::AtomicBool::new(true);
        let told = failure.clone();
        let (provider, _server, socket) = play(move |_| {
            if first.swap(false, std::sync::atomic::Ordering::Relaxed) {
                Stream::new().raw(&format!("data: {told}\n\n")).close()
            } else {
                Reply::text("It works.")
            }
        })
        .await;
        let run = start_run(&socket, "assistant", "Does it work?").await;
        let end = ended(&socket, &run).await;
        assert_eq!(end["type"] == "agent_completed", requests == 2, "{failure}: {end}");
        assert!(requests == 2 || end["payload"]["retryable"] == false, "{failure}: {end}");
        assert_eq!(provider.requests().len(), requests, "{failure}");
    }
}

#[tokio::test]
async fn a_refusal_blames_whom_it_is_about() {
    let page = |status| {
        let body = "<html><title>Blocked</title><body>Your key to security</body></html>".to_owned();
        Reply::Whole { status, headers: vec![("content-type", "text/html".to_owned())], body }
    };
    let cases = [
        ("the model's server", Reply::error(401, "no such key"), "refused the key (401)"),
        ("a login", page(401), "wants a login (401)"),
        ("a firewall", page(403), "does not let this request through (403)"),
        ("a gateway that waited for long", Reply::error(504, "upstream timed out"), "upstream timed out"),
        (
            "a reason without an end",
            Reply::Endless { status: 400, body: "{\"error\":\"no such model\"}".to_owned() },
            "no such model",
        ),
    ];
    let tests = cases.map(|(name, reply, words)| {
        Box::pin(async move {
            let (provider, _server, socket) = play(always(reply)).await;
            let run = start_run(&socket, "assistant", "Does it work?").await;
            let end = ended(&socket, &run).await;
            assert!(end["payload"]["message"].as_str().is_some_and(|m| m.contains(words)), "{name}: {end}");
            assert_eq!(provider.requests().len(), 1, "{name}");
        })
    });
    stream::iter(tests).buffer_unordered(3).collect::<Vec<()>>().await;
    let provider = Provider::start(always(Reply::error(401, "no Authorization header"))).await;
    let agent =
        format!("[[agents]]\nname = \"open\"\nkind = \"openai\"\nbase_url = \"{}\"\nmodel = \"m\"\n", provider.base);
    let server = Setup::new().toml(&agent).start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "open", "Does it work?").await;
    let end = ended(&socket, &run).await;
    assert!(end["payload"]["message"].as_str().is_some_and(|m| m.contains("none is set")), "{end}");
}

#[tokio::test]
async fn settings_and_redirects_lead_to_the_server() {
    let provider = Provider::start(|request| {
        if request.path.starts_with("/v1/") {
            return Reply::error(308, "moved").header("location", "/moved/chat/completions?region=x");
        }
        Reply::text("It works.")
    })
    .await;
    // What people paste ends in white space.
    let setup = Setup::new()
        .set("NETRA_LLM_BASE_URL", format!(" {}/ \n", provider.base))
        .set("NETRA_LLM_API_KEY", format!("{API_KEY}\n"))
        .set("NETRA_LLM_MODEL", " m ");
    let server = setup.start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "assistant", "Does it work?").await;
    let end = ended(&socket, &run).await;
    assert_eq!(end["payload"]["status"], "completed", "{end}");
    let requests = provider.requests();
    let paths: Vec<&str> = requests.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(paths, ["/v1/chat/completions", "/moved/chat/completions?region=x"]);
    assert_eq!(requests[0].body, requests[1].body);
    for request in &requests {
        assert_eq!(request.authorization, format!("Bearer {API_KEY}"));
        assert_eq!(request.body["model"], "m");
        let agent = request.headers.get("user-agent").and_then(|agent| agent.to_str().ok());
        assert!(agent.is_some_and(|agent| agent.starts_with("netra/")), "{agent:?}");
    }

    // A key is for its server, and another port is another server.
    let other = Provider::start(always(Reply::text("Thank you for the key."))).await;
    let place = format!("{}/chat/completions", other.base);
    let (provider, _server, socket) = play(move |_| Reply::error(307, "moved").header("location", &place)).await;
    let run = start_run(&socket, "assistant", "Does it work?").await;
    let end = ended(&socket, &run).await;
    assert!(end["payload"]["message"].as_str().is_some_and(|m| m.contains("redirects (307)")), "{end}");
    assert_eq!((provider.requests().len(), other.requests().len()), (1, 0));
}

#[tokio::test]
async fn what_a_server_said_beside_words_goes_back_to_it() {
    // Gitlawb/openclaude#67, continuedev/continue#11285, home-assistant/core#159812
    let signed = json!({ "google": { "thought_signature": "c2ln" } });
    let detail = json!({ "type": "reasoning.encrypted", "data": "c2VhbGVk", "index": 0 });
    let delta = json!({
        "reasoning_content": "I should calculate.", "reasoning_details": [detail],
        "tool_calls": [{ "index": 0, "id": "a1b2c3d4e", "type": "function", "extra_content": signed,
            "function": { "name": "calculate", "arguments": "{\"expression\":\"6*7\"}" } }],
    });
    let chunk = json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] });
    let (provider, _server, socket) = play(move |request| {
        if request.tool_results().is_empty() {
            return Stream::new().raw(&format!("data: {chunk}\n\n")).end("tool_calls");
        }
        Reply::text("It is 42.")
    })
    .await;
    let run = start_run(&socket, "assistant", "What is six times seven?").await;
    assert_eq!(ended(&socket, &run).await["payload"]["status"], "completed");
    let requests = provider.requests();
    let asked = requests[1].messages().iter().find(|m| m["role"] == "assistant").expect("the call").clone();
    assert_eq!(asked["reasoning_content"], "I should calculate.");
    assert_eq!(asked["reasoning_details"], json!([detail]));
    assert_eq!(
        (&asked["tool_calls"][0]["extra_content"], &asked["tool_calls"][0]["id"]),
        (&signed, &json!("a1b2c3d4e"))
    );
    assert_eq!(requests[1].tool_results()[0]["name"], "calculate");
    let next = say(&socket, &run.thread, "Thank you.").await;
    ended(&socket, &next).await;
    // api-docs.deepseek.com/guides/thinking_mode: with calls, they are wanted in all later turns, too.
    let requests = provider.requests();
    let told = requests[2].messages();
    assert_eq!(told[1], asked, "a later run tells the turn as it came");
    assert_eq!(told.iter().map(text).collect::<Vec<_>>()[3..], ["It is 42.", "Thank you."], "{told:?}");
}

#[tokio::test]
async fn roles_alternate_whatever_failed() {
    // janhq/jan#6254
    let (provider, _server, socket) =
        play(
            |request| {
                if request.prompt().contains("fail") {
                    Reply::error(400, "out of memory")
                } else {
                    Reply::text("Fine.")
                }
            },
        )
        .await;
    let run = start_run(&socket, "assistant", "Please fail.").await;
    ended(&socket, &run).await;
    for question in ["And now?", "Please fail again.", "And at last?"] {
        let run = say(&socket, &run.thread, question).await;
        ended(&socket, &run).await;
    }
    for request in provider.requests() {
        let roles: Vec<&str> = request.messages().iter().filter_map(|m| m["role"].as_str()).collect();
        let wanted = ["user", "assistant"].iter().cycle().take(roles.len()).copied().collect::<Vec<_>>();
        assert_eq!(roles, wanted);
        assert!(request.messages().iter().all(|message| !text(message).is_empty()), "nothing is empty");
    }
}

#[tokio::test]
async fn a_server_that_wants_a_pause_gets_it_or_the_person_is_told() {
    let (provider, _server, socket) = play(|request| {
        if request.prompt().contains("long") {
            return Reply::error(429, "Rate limit reached").header("retry-after", "60");
        }
        Reply::error(429, "slow down").header("retry-after", "1")
    })
    .await;
    let begun = Instant::now();
    let run = start_run(&socket, "assistant", "For long?").await;
    let end = ended(&socket, &run).await;
    let message = end["payload"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("429") && message.contains("try again in 60 s"), "{end}");
    assert_eq!(provider.requests().len(), 1, "nobody waits a minute");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let run = start_run(&socket, "assistant", "For a second?").await;
    ended(&socket, &run).await;
    assert_eq!(provider.requests().len(), 4, "asked three times");
}

#[tokio::test]
async fn a_server_that_wants_no_pause_gets_one() {
    let (provider, _server, socket) = play(always(Reply::error(429, "slow down").header("retry-after", "0"))).await;
    let begun = Instant::now();
    let run = start_run(&socket, "assistant", "At once?").await;
    ended(&socket, &run).await;
    assert_eq!(provider.requests().len(), 3);
    assert!(begun.elapsed() > Duration::from_millis(1_800), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_run_has_a_budget_of_tokens_also_where_the_server_counts_none() {
    for counts in [true, false] {
        let provider = Provider::start(move |request| {
            let call = Stream::new().tool(0, "a", "calculate", r#"{"expression":"6*7"}"#);
            match request.tool_results().len() {
                0..3 if counts => call.end("tool_calls"),
                0..3 => call.finish("tool_calls").close(),
                _ => Reply::text("At last."),
            }
        })
        .await;
        // Three turns of 18 tokens; and as estimated, tools have hundreds in each.
        let most = if counts { 30 } else { 1_000 };
        let agent = format!(
            "[[agents]]\nname = \"short\"\nkind = \"openai\"\nbase_url = \"{}\"\nmodel = \"m\"\ntools = [\"calculate\"]\n\
             system = \"{}\"\nmax_run_tokens = {most}\n",
            provider.base,
            "Be short. ".repeat(200)
        );
        let server = Setup::new().toml(&agent).start().await;
        let socket = User::dev(&server).await.connect().await;
        let run = start_run(&socket, "short", "Again and again.").await;
        let end = ended(&socket, &run).await;
        let words = format!("may use {most}");
        assert!(end["payload"]["message"].as_str().is_some_and(|m| m.contains(&words)), "{counts}: {end}");
        assert_eq!(provider.requests().len(), 2, "{counts}");
        check_run(&socket.frames(), &run);
    }
}

#[tokio::test]
async fn a_server_that_fails_again_and_again_is_left_alone() {
    let (provider, server, socket) = play(always(Reply::error(503, "overloaded"))).await;
    for _ in 0..3 {
        let run = start_run(&socket, "assistant", "Are you there?").await;
        ended(&socket, &run).await;
    }
    assert_eq!(provider.requests().len(), 9);
    let run = start_run(&socket, "assistant", "And now?").await;
    let end = ended(&socket, &run).await;
    assert!(end["payload"]["message"].as_str().is_some_and(|m| m.contains("left alone")), "{end}");
    assert_eq!(provider.requests().len(), 9, "it was not asked");
    let metrics = User::dev(&server).await.get("/metrics").await;
    let open = metrics.body.lines().find(|line| line.starts_with("netra_upstream_circuit_open{"));
    assert!(open.is_some_and(|line| line.ends_with(" 1")), "{}", metrics.body);
}

#[tokio::test]
async fn a_server_whose_answers_fail_is_left_alone_and_its_words_are_kept() {
    let failure = json!({ "error": { "type": "overloaded_error", "message": "no room" } });
    let (provider, _server, socket) = play(always(Stream::new().raw(&format!("data: {failure}\n\n")).close())).await;
    let asked = async |question: &str| {
        let run = start_run(&socket, "assistant", question).await;
        ended(&socket, &run).await["payload"]["message"].as_str().unwrap_or_default().to_owned()
    };
    for _ in 0..3 {
        assert!(asked("Are you there?").await.contains("no room"));
    }
    assert_eq!(provider.requests().len(), 9);
    assert!(asked("And now?").await.contains("left alone"));
    assert_eq!(provider.requests().len(), 9, "it was not asked");
    let begun = Instant::now();
    let mut said = String::new();
    while provider.requests().len() == 9 {
        assert!(begun.elapsed() < Duration::from_secs(30), "{said}");
        tokio::time::sleep(Duration::from_secs(1)).await;
        said = asked("And now?").await;
    }
    assert_eq!(provider.requests().len(), 10, "one request finds out");
    assert!(said.contains("no room"), "the server's own words: {said}");
}

#[tokio::test]
async fn calls_of_one_turn_run_at_the_same_time() {
    let (_provider, _server, socket) = play(|request| {
        if !request.tool_results().is_empty() {
            return Reply::text("Both are done.");
        }
        let turn = Stream::new().tool(0, "a", "calculate", r#"{"expression":"6*7"}"#);
        turn.tool(1, "b", "calculate", r#"{"expression":"2+3"}"#).end("tool_calls")
    })
    .await;
    let run = start_run(&socket, "assistant", "Two things at once.").await;
    assert_eq!(ended(&socket, &run).await["payload"]["status"], "completed");
    let frames = socket.frames();
    check_run(&frames, &run);
    let kinds: Vec<&str> = frames
        .iter()
        .filter(|f| f["run_id"] == run.id.as_str())
        .filter_map(|f| f["type"].as_str())
        .filter(|kind| kind.starts_with("tool_"))
        .collect();
    assert_eq!(kinds, ["tool_executing", "tool_executing", "tool_completed", "tool_completed"]);
}

#[tokio::test]
async fn a_conversation_that_grows_too_long_loses_its_beginning_in_view() {
    let provider = Provider::start(always(Reply::text("Noted."))).await;
    let agent = format!(
        "[[agents]]\nname = \"small\"\nkind = \"openai\"\nbase_url = \"{}\"\nmodel = \"m\"\ntools = []\nmax_context_tokens = 700\n",
        provider.base
    );
    let server = Setup::new().toml(&agent).start().await;
    let socket = User::dev(&server).await.connect().await;
    let words = "word ".repeat(200);
    let run = start_run(&socket, "small", &format!("first {words}")).await;
    ended(&socket, &run).await;
    let mut last = None;
    for number in ["second", "third", "fourth"] {
        let run = say(&socket, &run.thread, &format!("{number} {words}")).await;
        ended(&socket, &run).await;
        last = Some(run);
    }
    let last = last.expect("a run");
    let notes = payloads(&socket.frames(), &last, "agent_progress");
    assert!(notes.iter().any(|note| note["message"].to_string().contains("oldest 4 messages")), "{notes:?}");
    let asked = provider.requests().pop().expect("a request");
    assert!(text(&asked.messages()[0]).starts_with("third"), "{:?}", asked.messages().len());
}

#[tokio::test]
async fn what_a_run_costs_and_how_its_thread_is_called() {
    let provider = Provider::start(|request| {
        if request.prompt().contains("a title of two to six words") {
            return Reply::text("\"Eighteen tokens.\"");
        }
        Reply::text("Not much.")
    })
    .await;
    let agent = format!(
        "[[agents]]\nname = \"priced\"\nkind = \"openai\"\nbase_url = \"{}\"\nmodel = \"m\"\ntitles = true\n\
         price_per_mtok = {{ input = 2, output = 10 }}\n",
        provider.base
    );
    let server = Setup::new().toml(&agent).start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "priced", "What do eighteen tokens cost?").await;
    let end = ended(&socket, &run).await;
    // 7 tokens at 2 dollars a million, 11 at 10.
    assert_eq!(end["payload"]["usage"]["cost_usd_micros"], 124, "{end}");
    let named =
        socket.wait("the title", |f| f["type"] == "thread_update" && f["payload"]["title"] == "Eighteen tokens");
    named.await;
    let next = say(&socket, &run.thread, "And these?").await;
    ended(&socket, &next).await;
    let asked = provider.requests().iter().filter(|r| r.prompt().contains("a title")).count();
    assert_eq!(asked, 1, "a conversation is named once");
}
