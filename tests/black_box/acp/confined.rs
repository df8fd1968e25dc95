//! An agent's program stays in its folder, with what it may take of the machine.

use super::{end, folder, running, scripted, until};
use crate::support::{
    rules::{answer_of, check_run, start_run},
    server::Setup,
    user::User,
};

/// Whether this system can keep programs to their folders; the server says so itself.
fn has_wall(log: &str) -> bool {
    let has = !log.contains("this system has no Landlock");
    if !has {
        println!("this system has no Landlock: what the agent reads by itself is not checked");
    }
    has
}

#[tokio::test]
async fn nothing_outside_the_folder_is_read_or_written() {
    let secret = tempfile::tempdir().expect("a folder");
    let file = secret.path().join("secret");
    std::fs::write(&file, "s").expect("a file");
    let server = scripted(&format!("env = {{ SECRET_FILE = {:?} }}", file.display().to_string())).start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "coder", "Look outside.").await;
    end(&socket, &run).await;
    check_run(&socket.frames(), &run);
    let said = answer_of(&socket.frames(), &run).whole;
    if has_wall(&server.log()) {
        assert_eq!(said, "refused refused, refused refused, refused refused, refused, env 0");
        assert!(!secret.path().join("secret.new").exists());
    } else {
        assert!(said.matches("refused").count() >= 4 && said.ends_with("env 0"), "{said}");
    }
}

#[tokio::test]
async fn what_it_started_ends_with_it() {
    let server = scripted("").start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "coder", "Now fork.").await;
    let ended = end(&socket, &run).await;
    assert_eq!(ended["type"], "agent_error", "{ended}");
    assert!(ended["payload"]["message"].as_str().is_some_and(|why| why.contains("exit status: 7")), "{ended}");
    check_run(&socket.frames(), &run);
    until("what left its session ends, too", || running(&["sleep", "4242"]).is_empty()).await;
}

#[tokio::test]
async fn a_folder_that_fills_the_disk_ends_the_agent() {
    let server = scripted("disk_mb = 40").start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "coder", "Now fill the disk.").await;
    let ended = end(&socket, &run).await;
    assert!(ended["payload"]["message"].as_str().is_some_and(|why| why.contains("more than 40 MiB")), "{ended}");
    check_run(&socket.frames(), &run);
    until("the program is gone", || running(&[run.thread.as_str()]).is_empty()).await;
    assert!(folder(&server, "coder", &run.thread).exists(), "what it made is the person's");
}

#[tokio::test]
async fn settings_that_cannot_work_are_said() {
    for (more, words) in [
        ("readable = [\"relative\"]", "readable"),
        ("pass_env = [\"NOT_SET_ANYWHERE\"]", "NOT_SET_ANYWHERE"),
        ("disk_mb = 0", "disk_mb is 0"),
        ("memory_mb = 0", "memory_mb is 0"),
        ("model = \"m\"", "model is nothing"),
        ("url = \"http://127.0.0.1\"", "did you mean command?"),
    ] {
        let entry = format!("[[agents]]\nname = \"coder\"\nkind = \"acp\"\ncommand = [\"true\"]\n{more}\n");
        let refusal = Setup::new().toml(&entry).refused().await;
        assert!(refusal.stderr.contains(words), "{more}: {}", refusal.stderr);
    }
    let refusal = Setup::new().toml("[[agents]]\nname = \"coder\"\nkind = \"acp\"\n").refused().await;
    assert!(refusal.stderr.contains("needs command"), "{}", refusal.stderr);
    let of_others = "[[agents]]\nname = \"g\"\nkind = \"guide\"\nworkspace = \"w\"\n";
    let refusal = Setup::new().toml(of_others).refused().await;
    assert!(refusal.stderr.contains("kind acp"), "{}", refusal.stderr);
}
