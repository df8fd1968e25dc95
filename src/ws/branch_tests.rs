use super::*;
use crate::{model::RunStatus, time::Timestamp};

#[test]
fn what_was_taken_back_while_it_waited_is_told_from_what_was_stopped() {
    // `u2` came while the answer to `u1` was being written, and its one run was stopped before it was worked on.
    let mut thread = Thread::of("u1 u2 a1 a2");
    let (u2, a2) = (thread.names["u2"], thread.runs["a2"]);
    thread.state.messages.retain(|message| message.run_id != Some(a2));
    let run = |thread: &mut Thread, change: &dyn Fn(&mut Run)| {
        change(thread.state.runs.iter_mut().find(|run| run.run_id == a2).expect("a run"));
    };
    assert!(!thread.state.was_taken_back(u2), "it waits");
    run(&mut thread, &|run| (run.status, run.duration_ms) = (RunStatus::Stopped, Some(0)));
    assert!(thread.state.was_taken_back(u2));
    run(&mut thread, &|run| run.duration_ms = Some(12));
    assert!(!thread.state.was_taken_back(u2), "something was at work");
    run(&mut thread, &|run| (run.duration_ms, run.text) = (Some(0), "So".to_owned()));
    assert!(!thread.state.was_taken_back(u2), "something was said");
    // The first of a conversation waited for nothing.
    let mut first = Thread::of("u1 a1");
    let (message, run) = (first.names["u1"], first.runs["a1"]);
    first.state.messages.retain(|message| message.run_id != Some(run));
    for run in &mut first.state.runs {
        (run.status, run.duration_ms) = (RunStatus::Stopped, Some(0));
    }
    assert!(!first.state.was_taken_back(message));
    assert!(!first.state.was_taken_back(MessageId::new()));
}

#[test]
fn the_way_to_a_message_is_chosen_where_there_is_a_choice() {
    let thread = Thread::of("u1 a1 b1 u2:a1 a2 u3:a1 a3 u4:a2 a4");
    let choices = thread.state.choices_to(thread.names["u4"], None).expect("it is known");
    assert!(thread.shown(&choices).contains("u4"), "{}", thread.shown(&choices));
    assert_eq!(choices.answers.get(&thread.names["u1"]), Some(&thread.runs["a1"]));
    assert_eq!(choices.branches.get(&thread.names["u1"]), Some(&thread.names["u2"]));
    assert_eq!((choices.branches.len(), choices.answers.len()), (1, 1), "{choices:?}");
    let choices = thread.state.choices_to(thread.names["u1"], Some(thread.runs["b1"])).expect("it is known");
    assert_eq!(choices.answers.get(&thread.names["u1"]), Some(&thread.runs["b1"]));
    assert_eq!(thread.state.choices_to(MessageId::new(), None), None);
}

/// A thread written as `u1 a1 u2:u1 b1 u3:a1`: questions, each with what it follows; `a1` is the first answer to `u1`, `b1` the second.
/// `:-` begins anew.
struct Thread {
    state: ThreadState,
    names: HashMap<String, MessageId>,
    runs: HashMap<String, RunId>,
}

impl Thread {
    fn of(words: &str) -> Self {
        let mut this = Self { state: ThreadState::default(), names: HashMap::new(), runs: HashMap::new() };
        for word in words.split_whitespace() {
            this.add(word);
        }
        this
    }

    fn add(&mut self, word: &str) {
        let (name, parent) = word.split_once(':').map_or((word, None), |(name, parent)| (name, Some(parent)));
        let id = MessageId::new();
        self.names.insert(name.to_owned(), id);
        let parent_id = parent.map(|parent| if parent == "-" { MessageId::beginning() } else { self.names[parent] });
        let asked = (!name.starts_with('u')).then(|| self.names[&format!("u{}", &name[1..])]);
        let run_id = asked.map(|asked| {
            let run = Run { message_id: Some(id), ..Run::queued(RunId::new(), "guide".to_owned(), Some(asked)) };
            let run_id = run.run_id;
            self.runs.insert(name.to_owned(), run_id);
            self.state.runs.push(run.into());
            run_id
        });
        let role = if asked.is_some() { MessageRole::Assistant } else { MessageRole::User };
        let message = Message {
            message_id: id,
            role,
            content: name.to_owned(),
            run_id,
            seq: self.state.messages.len() as u64 + 1,
            created_at: Timestamp::default(),
            author: None,
            parent_id,
            attachments: Vec::new(),
        };
        self.state.messages.push(message.into());
    }

    fn name(&self, id: MessageId) -> &str {
        self.names.iter().find(|(_, known)| **known == id).map_or("?", |(name, _)| name)
    }

    /// The path in words: `u1/2 a1`, the number of siblings beside a message that has some.
    fn shown(&self, choices: &Choices) -> String {
        let word = |turn: &Turn| {
            let mut words = self.name(turn.message).to_owned();
            if !turn.siblings.is_empty() {
                let at = turn.siblings.iter().position(|other| *other == turn.message).map_or(0, |at| at + 1);
                words = format!("{words}({at}/{})", turn.siblings.len());
            }
            let answer = turn.answer.and_then(|run| self.runs.iter().find(|(_, known)| **known == run));
            answer.map_or(words.clone(), |(name, _)| format!("{words} {name}"))
        };
        self.state.path(choices).iter().map(word).collect::<Vec<_>>().join(" ")
    }

    fn choose(&self, branches: &[(&str, &str)], answers: &[(&str, &str)]) -> Choices {
        let id = |name: &str| if name == "-" { MessageId::beginning() } else { self.names[name] };
        Choices {
            branches: branches.iter().map(|(at, to)| (id(at), id(to))).collect(),
            answers: answers.iter().map(|(at, to)| (id(at), self.runs[*to])).collect(),
        }
    }

    fn next(&self, choices: &Choices) -> String {
        let parent = self.state.parent_at_end(&self.state.path(choices));
        parent.map_or("none".to_owned(), |parent| self.name(parent).to_owned())
    }
}

fn check(thread: &str, branches: &[(&str, &str)], answers: &[(&str, &str)], shown: &str, next: &str) {
    let thread = Thread::of(thread);
    let choices = thread.choose(branches, answers);
    assert_eq!(thread.shown(&choices), shown);
    assert_eq!(thread.next(&choices), next, "{shown}");
}

#[test]
fn a_thread_without_parents_is_one_path() {
    check("", &[], &[], "", "none");
    check("u1", &[], &[], "u1", "none");
    check("u1 a1 u2 a2", &[], &[], "u1 a1 u2 a2", "none");
    check("u1 u2 u3 a1 a2", &[], &[], "u1 a1 u2 a2 u3", "none");
    // A second answer in the middle is shown there, and what followed the first follows it.
    check("u1 a1 u2 a2 b1", &[], &[], "u1 b1 u2 a2", "none");
    check("u1 a1 u2 a2 b1", &[], &[("u1", "a1")], "u1 a1 u2 a2", "a2");
}

#[test]
fn the_path_leads_to_what_is_newest() {
    let edited = "u1 a1 u2 a2 u3:u1 a3";
    check(edited, &[], &[], "u1 a1 u3(2/2) a3", "a3");
    check(edited, &[("u1", "u2")], &[], "u1 a1 u2(1/2) a2", "a2");
    check("u1 a1 u2 a2 u3:- a3", &[], &[], "u3(2/2) a3", "a3");
    check("u1 a1 u2 a2 u3:- a3", &[("-", "u1")], &[], "u1(1/2) a1 u2 a2", "a2");
    // Whoever goes on in the older branch makes it the newest.
    check("u1 a1 u2:- a2 u3:a1 a3", &[], &[], "u1(1/2) a1 u3 a3", "a3");
    // What is still being answered is followed itself.
    check("u1 a1 u2:- ", &[], &[], "u1(1/2) a1", "a1");
    check("u1 u2:-", &[], &[], "u2(2/2)", "u2");
    // A choice of what is not here means nothing.
    check(edited, &[("u1", "a1")], &[("u1", "a3")], "u1 a1 u3(2/2) a3", "a3");
}

#[test]
fn what_follows_one_answer_is_shown_with_it() {
    let thread = "u1 a1 b1 u2:a1 a2 u3:b1 a3 u4:b1 a4";
    check(thread, &[], &[], "u1 b1 u4(2/2) a4", "a4");
    check(thread, &[], &[("u1", "a1")], "u1 a1 u2 a2", "a2");
    check(thread, &[("u1", "u3")], &[], "u1 b1 u3(1/2) a3", "a3");
    // A new answer to a message with followers of one answer begins without them.
    check("u1 a1 u2:a1 a2 b1", &[], &[], "u1 b1", "b1");
}

#[test]
fn a_page_begins_anywhere() {
    let mut thread = Thread::of("u1 a1 u2 a2 u3:u1 a3");
    thread.state.messages.drain(..2);
    thread.state.earlier_cursor = Some("3".to_owned());
    assert_eq!(thread.shown(&Choices::default()), "u3 a3", "its parent is on another page");
    let first = thread.state.messages[0].message_id;
    assert_eq!(thread.state.parent_of(first), None, "not known yet");
    assert_eq!(thread.state.parent_of(thread.names["u3"]), Some(thread.names["u1"]));
    thread.state.earlier_cursor = None;
    assert_eq!(thread.state.parent_of(first), Some(MessageId::beginning()));
}

#[test]
fn an_edit_stands_beside_what_it_edits() {
    for (words, edited) in
        [("u1 a1 u2 a2", "u2"), ("u1 a1 u2 a2", "u1"), ("u1 a1 b1 u2:a1 a2", "u2"), ("u1 u2:- a2", "u2")]
    {
        let mut thread = Thread::of(words);
        let parent = thread.state.parent_of(thread.names[edited]).expect("known");
        let name = if parent.is_beginning() { "-".to_owned() } else { thread.name(parent).to_owned() };
        thread.add(&format!("u9:{name}"));
        thread.add("a9");
        let path = thread.state.path(&Choices::default());
        let last = path.last().expect("a path");
        assert_eq!(last.message, thread.names["u9"], "{words}: the newest is shown");
        assert!(last.siblings.contains(&thread.names[edited]), "{words}");
    }
}

#[test]
fn no_thread_is_too_strange() {
    for seed in 0..500 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut thread = Thread::of("u0");
        let mut known = vec!["u0".to_owned()];
        for number in 1..30 {
            let at = known[random.usize(..known.len())].clone();
            let name = if random.bool() {
                format!("u{number}")
            } else {
                format!("{}{}", random.choice(['a', 'b']).unwrap_or('a'), &at[1..])
            };
            if name.starts_with('u') {
                thread.add(&if random.bool() { name.clone() } else { format!("{name}:{at}") });
            } else if thread.names.contains_key(&name) {
                continue;
            } else {
                thread.add(&name);
            }
            known.push(name);
        }
        if random.bool() {
            let cut = random.usize(..thread.state.messages.len());
            thread.state.messages.drain(..cut);
            thread.state.earlier_cursor = Some("1".to_owned());
        }
        // Each message can be turned to, and a path shows none twice.
        for message in thread.state.messages.iter().filter(|message| message.role == MessageRole::User) {
            let mut choices = Choices::default();
            let tree = Tree::of(&thread.state);
            let mut at = Some((message.message_id, None));
            while let Some((id, run)) = at {
                let parent = tree.parents[&id];
                choices.branches.insert(parent.map_or(MessageId::beginning(), |(parent, _)| parent), id);
                if let Some(run) = run {
                    choices.answers.insert(id, run);
                }
                at = parent;
            }
            let path = thread.state.path(&choices);
            let shown: HashSet<MessageId> = path.iter().map(|turn| turn.message).collect();
            assert!(shown.contains(&message.message_id), "seed {seed}: {} of {:?}", message.content, thread.names);
            assert_eq!(shown.len(), path.len(), "seed {seed}");
        }
    }
}
