//! The plan of a run: a note that holds a list of tasks, as a list that fills where it stood first. An agent tells its plan anew
//! whenever something in it has changed; what it told last counts.

use leptos::prelude::*;
use netra_ws::model::Step;

use super::Icon;
use crate::app::{
    sentence::sentence,
    view::{Erase, Key, Row, list, live, memo, part, view, when, words},
};

/// Tasks that are drawn.
const MOST: usize = 100;

/// What a task ends with while it is worked on.
const WORKED_ON: &str = " (in progress)";

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    WorkedOn,
    Done,
}

impl Stage {
    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::WorkedOn => "now",
            Self::Done => "done",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Open => "To do: ",
            Self::WorkedOn => "In progress: ",
            Self::Done => "Done: ",
        }
    }
}

/// A note that holds a plan, read.
#[derive(Clone, Debug, Default, PartialEq)]
struct Told {
    summary: String,
    tasks: Vec<(Stage, String)>,
    /// What stands below the list.
    rest: String,
}

impl Told {
    /// Reads a note; nothing where it holds no list of tasks.
    fn read(note: &str) -> Option<Self> {
        let mut lines = note.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut told = Self { summary: lines.next()?.to_owned(), ..Self::default() };
        for line in lines {
            let task = |mark: &str| line.strip_prefix(mark).map(str::trim);
            if let Some(words) = task("- [x]").or_else(|| task("- [X]")) {
                told.tasks.push((Stage::Done, words.to_owned()));
            } else if let Some(words) = task("- [ ]") {
                let worked_on = words.strip_suffix(WORKED_ON);
                let stage = if worked_on.is_some() { Stage::WorkedOn } else { Stage::Open };
                told.tasks.push((stage, worked_on.unwrap_or(words).to_owned()));
            } else if told.rest.is_empty() {
                line.clone_into(&mut told.rest);
            }
        }
        told.tasks.truncate(MOST);
        (!told.tasks.is_empty()).then_some(told)
    }
}

/// Whether a note may hold a plan, which costs no reading.
pub(super) fn holds(note: &str) -> bool {
    note.contains("\n- [")
}

/// A run's plan.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    /// The step at which it was told first.
    pub(super) at: usize,
    told: Told,
    fraction: Option<f64>,
}

impl Plan {
    /// The plan that these steps tell of.
    pub(super) fn of(steps: &[Step]) -> Option<Self> {
        let plans = steps.iter().enumerate().filter_map(|(at, step)| match step {
            Step::Progress { message, fraction } if holds(message) => Some((at, message, *fraction)),
            Step::Progress { .. } | Step::Thinking { .. } | Step::Tool(_) | Step::Unknown(_) => None,
        });
        let (first, last) = plans.fold((None, None), |(first, _), plan| (first.or(Some(plan.0)), Some(plan)));
        let (_, note, fraction) = last?;
        Some(Self { at: first?, told: Told::read(note)?, fraction })
    }
}

/// The plan, drawn. Its line is told to screen readers when it changes, and its list is read when the reader goes there.
pub(super) fn plan(plan: Memo<Option<Plan>>) -> AnyView {
    let told = move |read: fn(&Plan) -> String| plan.with(|plan| plan.as_ref().map(read).unwrap_or_default());
    let fraction = memo(move || plan.with(|plan| plan.as_ref().and_then(|plan| plan.fraction)));
    let count = memo(move || plan.with(|plan| plan.as_ref().map_or(0, |plan| plan.told.tasks.len())));
    let row = move |at: usize| {
        let task = memo(move || plan.with(|plan| plan.as_ref().and_then(|plan| plan.told.tasks.get(at).cloned())));
        let stage = memo(move || task.with(|task| task.as_ref().map_or(Stage::Open, |task| task.0)));
        view! {
            <li data-stage=live(move || stage.get().name())>
                <span class="plan-mark">
                    {part(move || match stage.get() {
                        Stage::Done => Icon::Check.view(),
                        Stage::WorkedOn => Icon::Clock.view(),
                        Stage::Open => ().erase(),
                    })}
                </span>
                <span class="visually-hidden">{words(move || stage.get().words().to_owned())}</span>
                <span dir="auto">{words(move || task.with(|task| task.as_ref().map(|task| task.1.clone()).unwrap_or_default()))}</span>
            </li>
        }
        .erase()
    };
    let rows = move || (0..count.get()).map(|at| Row::new(Key::At(at), move || row(at))).collect();
    view! {
        <div class="plan">
            <p class="progress">
                <span role="status">{words(move || sentence(&told(|plan| plan.told.summary.clone())))}</span>
                {part(move || match fraction.get() {
                    Some(fraction) => view! { <progress value=super::steps::percent(fraction) max="100"></progress> }.erase(),
                    None => ().erase(),
                })}
            </p>
            <ul class="plan-tasks" aria-label="Plan">
                {list(rows)}
            </ul>
            {when(
                move || plan.with(|plan| plan.as_ref().is_some_and(|plan| !plan.told.rest.is_empty())),
                move || view! { <p class="plan-rest">{words(move || told(|plan| plan.told.rest.clone()))}</p> }.erase(),
            )}
        </div>
    }
    .erase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(message: &str) -> Step {
        Step::Progress { message: message.to_owned(), fraction: None }
    }

    #[test]
    fn a_note_with_tasks_is_a_plan() {
        let told =
            Told::read("Plan: 1 of 3 done; leap\n\n- [x] look\n- [ ] leap (in progress)\n- [ ] rest\n… and 2 more");
        let told = told.expect("a plan");
        assert_eq!((told.summary.as_str(), told.rest.as_str()), ("Plan: 1 of 3 done; leap", "… and 2 more"));
        let task = |stage, words: &str| (stage, words.to_owned());
        assert_eq!(told.tasks, [task(Stage::Done, "look"), task(Stage::WorkedOn, "leap"), task(Stage::Open, "rest")]);
        for other in ["", "Reading", "Reading\n\nmore", "- [x] alone"] {
            assert_eq!(Told::read(other), None, "{other}");
        }
    }

    #[test]
    fn it_stands_where_it_was_told_first_and_says_what_was_told_last() {
        let steps = [note("Begin"), note("Plan: a\n\n- [ ] look"), note("Reading"), note("Plan: b\n\n- [x] look")];
        let plan = Plan::of(&steps).expect("a plan");
        assert_eq!((plan.at, plan.told.summary.as_str()), (1, "Plan: b"));
        assert_eq!(Plan::of(&steps[..1]), None);
    }
}
