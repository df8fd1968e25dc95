//! What an agent written with the protocol's own SDK says, thinks, calls and asks.

use serde_json::{Value, json};

use super::{approve, asked, decide, end, entry, folder, running, scripted, until};
use crate::support::{
    frame::on,
    provider::Provider,
    rules::{answer_of, check_run, event, payloads, say, start_run},
    script::{Reply, Stream, numbered},
    server::Setup,
    user::User,
};

#[tokio::test]
async fn words_come_as_they_are_said_and_the_session_goes_on() {
    let server = scripted("").start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "coder", "Tell a story.").await;
    assert_eq!(end(&socket, &run).await["payload"]["status"], "completed");
    check_run(&socket.frames(), &run);
    assert_eq!(answer_of(&socket.frames(), &run).whole, numbered(120, "w{k} "));
    assert!(payloads(&socket.frames(), &run, "partial_result").len() > 2);
    let next = say(&socket, &run.thread, "What have you heard?").await;
    end(&socket, &next).await;
    let heard: Vec<String> = serde_json::from_str(&answer_of(&socket.frames(), &next).whole).expect("a list");
    assert_eq!(
        heard,
        ["Tell a story.", "What have you heard?"],
        "the question alone is sent to a session that goes on"
    );
    assert_eq!(running(&["confine", &run.thread]).len(), 1, "one program a conversation");
    // A thread that is deleted takes its program and its folder with it.
    let place = folder(&server, "coder", &run.thread);
    assert!(place.join("files").is_dir());
    let gone = user.delete(&format!("/api/threads/{}", run.thread)).await;
    assert_eq!(gone.status, 204);
    until("the folder goes", || !place.exists()).await;
    until("the program goes", || running(&[run.thread.as_str()]).is_empty()).await;
}

#[tokio::test]
async fn what_the_agent_offers_are_commands() {
    let server = scripted("").start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    assert_eq!(user.get("/api/commands?agent=coder").await.ok()["commands"], json!([]), "it has said nothing yet");
    end(&socket, &start_run(&socket, "coder", "What have you heard?").await).await;
    let told = user.get("/api/commands?agent=coder").await.ok();
    let plan = &told["commands"][0];
    assert_eq!((&plan["name"], &plan["description"]), (&json!("plan"), &json!("Make a plan")), "{told}");
    let fill = async |arguments: Value| {
        user.post("/api/commands/plan", json!({ "agent": "coder", "arguments": arguments })).await
    };
    assert_eq!(fill(json!({ "words": " the move " })).await.ok()["text"], "/plan the move");
    assert_eq!(fill(json!({})).await.ok()["text"], "/plan");
    assert_eq!(fill(json!({ "other": "x" })).await.error().1, "invalid_payload");
}

#[tokio::test]
async fn its_mode_is_changed_by_a_command_and_a_change_is_told() {
    let server = scripted("").start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let first = start_run(&socket, "coder", "In which mode are you?").await;
    end(&socket, &first).await;
    assert_eq!(answer_of(&socket.frames(), &first).whole, "ask");
    let told = user.get("/api/commands?agent=coder").await.ok();
    let commands = told["commands"].as_array().expect("commands");
    let mode = commands.iter().find(|command| command["name"] == "mode").expect("a command");
    assert_eq!(mode["description"], "Change how the agent works: Ask, Code.", "{told}");
    let filled = user.post("/api/commands/mode", json!({ "agent": "coder", "arguments": { "words": "code" } })).await;
    let command = filled.ok()["text"].as_str().expect("text").to_owned();

    let ask = async |words: &str, answer: &str| {
        let run = say(&socket, &first.thread, words).await;
        assert_eq!(end(&socket, &run).await["payload"]["status"], "completed", "{words}");
        check_run(&socket.frames(), &run);
        assert_eq!(answer_of(&socket.frames(), &run).whole, answer, "{words}");
        run
    };
    ask(&command, "The agent works in the mode Code now.").await;
    ask("In which mode are you now?", "code").await;
    // Each conversation is in a mode of its own.
    let other = start_run(&socket, "coder", "/mode").await;
    end(&socket, &other).await;
    assert_eq!(answer_of(&socket.frames(), &other).whole, "Change how the agent works: Ask, Code. Now: Ask.");
    ask("/mode fly", "There is no mode \"fly\". Change how the agent works: Ask, Code. Now: Code.").await;
    let run = ask("Please change by yourself.", "Changed.").await;
    let notes = payloads(&socket.frames(), &run, "agent_progress");
    assert!(notes.iter().any(|note| note["message"] == "The agent works in the mode Ask now."), "{notes:?}");
    // What is no message to the agent is none: it heard the others.
    let heard = r#"["In which mode are you?","In which mode are you now?","Please change by yourself.","What have you heard?"]"#;
    ask("What have you heard?", heard).await;
}

#[tokio::test]
async fn a_tool_that_is_allowed_begins_behind_the_answer_and_shows_its_change() {
    let server = scripted("").start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "coder", "Please edit the notes.").await;
    let question = asked(&socket, &run).await;
    let told = &question["payload"];
    assert_eq!(told["tool"], "edit", "{question}");
    assert!(told["message"].as_str().is_some_and(|words| words.contains("Edit notes.txt")), "{question}");
    assert!(told["arguments"]["change"].as_str().is_some_and(|text| text.contains("-two\n+three")), "{question}");
    let kinds: Vec<&Value> = told["options"].as_array().expect("options").iter().map(|one| &one["kind"]).collect();
    assert_eq!(kinds, ["allow_once", "reject_once"], "{question}");
    assert_eq!(payloads(&socket.frames(), &run, "tool_executing"), Vec::<Value>::new(), "it may still be denied");
    assert!(!running(&["acp_agent.mjs"]).is_empty(), "the program holds the turn");
    decide(&socket, &run, &question, json!({ "decision": "approve", "option": "yes" })).await;
    assert_eq!(end(&socket, &run).await["payload"]["status"], "completed");
    let frames = socket.frames();
    check_run(&frames, &run);
    let said = answer_of(&frames, &run).whole;
    assert_eq!(said, "Let me edit.\n\nEdited: three.");
    let done = payloads(&frames, &run, "tool_completed");
    let edit = done.last().expect("a call");
    assert_eq!((&edit["tool"], &edit["status"]), (&json!("edit"), &json!("ok")), "{done:?}");
    assert!(edit["result"].as_str().is_some_and(|text| text.contains("@@ -2,1 +2,1 @@\n-two\n+three")), "{done:?}");
    let thoughts = payloads(&frames, &run, "agent_thinking");
    assert!(thoughts.iter().any(|thought| thought.to_string().contains("I should ask.")), "{thoughts:?}");
    let written = std::fs::read_to_string(folder(&server, "coder", &run.thread).join("files/notes.txt"));
    assert_eq!(written.expect("a file"), "one\nthree\n");
}

#[tokio::test]
async fn a_tool_that_is_denied_never_begins() {
    let server = scripted("").start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "coder", "Please edit the notes.").await;
    let question = asked(&socket, &run).await;
    decide(&socket, &run, &question, json!({ "decision": "deny", "reason": "no" })).await;
    assert_eq!(end(&socket, &run).await["payload"]["status"], "completed");
    let frames = socket.frames();
    check_run(&frames, &run);
    assert_eq!(answer_of(&frames, &run).whole, "Let me edit.\n\nThen not.");
    assert_eq!(payloads(&frames, &run, "tool_executing"), Vec::<Value>::new());
    assert!(!folder(&server, "coder", &run.thread).join("files/notes.txt").exists());
}

#[tokio::test]
async fn plans_are_told_and_a_stop_cancels() {
    let server = scripted("").start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "coder", "Make a plan.").await;
    end(&socket, &run).await;
    let notes = payloads(&socket.frames(), &run, "agent_progress");
    let plan = notes
        .iter()
        .find(|note| {
            note["message"].as_str().is_some_and(|told| told.starts_with("Plan: 1 of 2 done; Leap\n\n- [x] Look"))
        })
        .expect("the plan");
    assert_eq!(plan["fraction"], 0.5, "{notes:?}");
    let run = say(&socket, &run.thread, "Tell a story.").await;
    event(&socket, &run, "partial_result").await;
    socket.call(on(&run.thread, "stop_agent", json!({ "run_id": run.id }))).await;
    assert_eq!(end(&socket, &run).await["payload"]["status"], "stopped");
    let run = say(&socket, &run.thread, "Begin the slow tool.").await;
    event(&socket, &run, "tool_executing").await;
    socket.call(on(&run.thread, "stop_agent", json!({ "run_id": run.id }))).await;
    assert_eq!(end(&socket, &run).await["payload"]["status"], "stopped");
    let done = payloads(&socket.frames(), &run, "tool_completed");
    assert_eq!(done.last().expect("a call")["status"], "interrupted", "{done:?}");
    let next = say(&socket, &run.thread, "Are you there?").await;
    end(&socket, &next).await;
    assert_eq!(answer_of(&socket.frames(), &next).whole, "You said: Are you there?", "the same program goes on");
    check_run(&socket.frames(), &next);
    assert!(!server.log().contains("did not end its turn"), "it ended when it was asked to");
}

#[tokio::test]
async fn a_session_is_taken_up_after_a_restart_or_told_again() {
    for (more, knows) in [("", true), ("env = { NO_LOAD = \"1\" }", false)] {
        let mut server = scripted(more).start().await;
        let mut user = User::dev(&server).await;
        let socket = user.connect().await;
        let run = start_run(&socket, "coder", "Remember the word abacus.").await;
        end(&socket, &run).await;
        server = server.restart("TERM").await;
        user = user.moved(&server);
        let socket = user.connect().await;
        socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
        let next = say(&socket, &run.thread, "What have you heard?").await;
        end(&socket, &next).await;
        let heard: Vec<String> = serde_json::from_str(&answer_of(&socket.frames(), &next).whole).expect("a list");
        if knows {
            assert_eq!(heard, ["Remember the word abacus.", "What have you heard?"]);
        } else {
            assert_eq!(heard.len(), 1, "{heard:?}");
            assert!(
                heard[0].contains("Person: Remember the word abacus.") && heard[0].contains("You: You said:"),
                "{heard:?}"
            );
        }
        check_run(&socket.frames(), &next);
    }
}

#[tokio::test]
async fn idle_programs_end_and_their_sessions_go_on() {
    let server = scripted("idle_s = 1\nmax_conversations = 1").start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "coder", "Hello.").await;
    end(&socket, &run).await;
    until("the idle program ends", || running(&[run.thread.as_str()]).is_empty()).await;
    let other = start_run(&socket, "coder", "Hello, too.").await;
    end(&socket, &other).await;
    // One may run: the other makes room.
    let next = say(&socket, &run.thread, "What have you heard?").await;
    end(&socket, &next).await;
    assert_eq!(answer_of(&socket.frames(), &next).whole, r#"["Hello.","What have you heard?"]"#);
}

#[tokio::test]
async fn a_question_outlives_its_program() {
    let server = scripted("idle_s = 1").start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "coder", "Please edit the notes.").await;
    let question = asked(&socket, &run).await;
    until("the program that waits ends", || running(&[run.thread.as_str()]).is_empty()).await;
    decide(&socket, &run, &question, approve()).await;
    assert_eq!(end(&socket, &run).await["payload"]["status"], "completed");
    let frames = socket.frames();
    check_run(&frames, &run);
    assert_eq!(payloads(&frames, &run, "tool_approval_required").len(), 1, "nobody is asked twice");
    let edits = std::fs::read_to_string(folder(&server, "coder", &run.thread).join("home/edits"));
    assert_eq!(edits.expect("a file"), "x", "it was done once");
}

#[tokio::test]
async fn a_stop_while_a_person_is_asked_ends_the_turn() {
    let server = scripted("").start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "coder", "Please edit the notes.").await;
    asked(&socket, &run).await;
    socket.call(on(&run.thread, "stop_agent", json!({ "run_id": run.id }))).await;
    assert_eq!(end(&socket, &run).await["payload"]["status"], "stopped");
    check_run(&socket.frames(), &run);
    let next = say(&socket, &run.thread, "Are you there?").await;
    assert_eq!(end(&socket, &next).await["payload"]["status"], "completed");
    assert_eq!(answer_of(&socket.frames(), &next).whole, "You said: Are you there?");
    assert!(!folder(&server, "coder", &run.thread).join("home/edits").exists(), "nobody allowed it");
}

#[tokio::test]
async fn another_agent_hands_it_work() {
    let provider = Provider::start(|request| {
        if request.tool_results().is_empty() {
            let task = |word: &str| json!({ "task": word }).to_string();
            let both = Stream::new().tool(0, "call_0", "coder", &task("one")).tool(1, "call_1", "coder", &task("two"));
            return both.end("tool_calls");
        }
        Reply::text("Both are done.")
    })
    .await;
    let lead = format!(
        "[[agents]]\nname = \"lead\"\nkind = \"openai\"\nbase_url = \"{}\"\nmodel = \"m\"\nsub_agents = [\"coder\"]\n",
        provider.base
    );
    let server = Setup::new().toml(&(lead + &entry("coder", "acp_agent.mjs", &[], ""))).start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "lead", "Have it done twice.").await;
    assert_eq!(end(&socket, &run).await["payload"]["status"], "completed");
    check_run(&socket.frames(), &run);
    let done = payloads(&socket.frames(), &run, "tool_completed");
    let mut answers: Vec<&str> = done.iter().filter_map(|done| done["result"]["answer"].as_str()).collect();
    answers.sort_unstable();
    assert_eq!(answers, ["You said: one", "You said: two"], "{done:?}");
}
