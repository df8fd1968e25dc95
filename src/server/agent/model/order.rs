//! The order of what a turn held. Sealed or signed reasoning stands in front of what it led to, and servers refuse it anywhere else
//! (`QwenLM/qwen-code#8169`, `vercel/ai#7099`). What goes back is a list: sealed parts as they came, and marks for text and calls,
//! which are known already.

use serde_json::{Value, json};

use super::{Replay, calls::Finished};

/// What stood at one place of a turn.
#[derive(Debug)]
enum Held {
    /// To be sent back as it came; `null` until it has come.
    Sealed(Value),
    /// So many bytes of text.
    Said(usize),
    Called,
}

/// A turn's parts by their places, in the order in which they came where servers count no places.
#[derive(Debug, Default)]
pub(super) struct Order(Vec<(u64, Held)>);

impl Order {
    /// A sealed part stands here; `null` keeps its place until it comes.
    pub(super) fn seal(&mut self, place: u64, part: Value) {
        let awaited = |held: &&mut (u64, Held)| held.0 == place && matches!(&held.1, Held::Sealed(Value::Null));
        match self.0.iter_mut().rfind(awaited) {
            Some((_, held)) => *held = Held::Sealed(part),
            None => self.0.push((place, Held::Sealed(part))),
        }
    }

    /// The newest sealed part at this place, which may grow.
    pub(super) fn sealed_mut(&mut self, place: u64) -> Option<&mut Value> {
        self.0.iter_mut().rev().find_map(|(at, held)| match held {
            Held::Sealed(part) if *at == place => Some(part),
            Held::Sealed(_) | Held::Said(_) | Held::Called => None,
        })
    }

    /// More text stands here.
    pub(super) fn said(&mut self, place: u64, bytes: usize) {
        if bytes == 0 {
            return;
        }
        match self.0.iter_mut().rfind(|(at, _)| *at == place) {
            Some((_, Held::Said(so_far))) => *so_far += bytes,
            Some(_) | None => self.0.push((place, Held::Said(bytes))),
        }
    }

    /// A call stands here.
    pub(super) fn called(&mut self, place: u64) {
        self.0.push((place, Held::Called));
    }

    /// Whether anything sealed came.
    pub(super) fn has_sealed(&self) -> bool {
        self.0.iter().any(|(_, held)| matches!(held, Held::Sealed(part) if !part.is_null()))
    }

    /// What goes back: nothing where nothing is sealed, because text and calls have an order of their own then.
    pub(super) fn finish(mut self, finished: &Finished) -> Replay {
        if !self.has_sealed() {
            return Replay(json!([]));
        }
        self.0.sort_by_key(|(place, _)| *place);
        let mut told = vec![false; finished.places.len()];
        let mut parts = Vec::with_capacity(self.0.len());
        for (place, held) in self.0 {
            match held {
                Held::Sealed(Value::Null) => {}
                Held::Sealed(part) => parts.push(part),
                Held::Said(bytes) => parts.push(json!({ "said": bytes })),
                Held::Called => {
                    let called = (0..told.len()).find(|at| !told[*at] && finished.places[*at] == Some(place));
                    if let Some(at) = called {
                        told[at] = true;
                        parts.push(json!({ "called": at }));
                    }
                }
            }
        }
        Replay(parts.into())
    }
}

/// A part of a turn that goes back.
#[derive(Debug, PartialEq)]
pub(super) enum Part<'a> {
    /// As it came.
    Sealed(&'a Value),
    /// Text that is more than white space.
    Said(&'a str),
    /// The call with this number, from 0.
    Called(usize),
}

/// The parts of a turn with this text and so many calls, in their order. What has no place stands at the end.
pub(super) fn laid_out<'a>(replay: &'a Replay, text: &'a str, calls: usize) -> Vec<Part<'a>> {
    let held = replay.0.as_array().map_or(&[][..], Vec::as_slice);
    let mark = |part: &Value, name: &str| {
        let number = part.get(name).and_then(Value::as_u64).filter(|_| part.get("type").is_none())?;
        usize::try_from(number).ok()
    };
    let marked: usize = held.iter().filter_map(|part| mark(part, "said")).fold(0, usize::saturating_add);
    // White space at the beginning of a text is not kept.
    let mut lost = marked.saturating_sub(text.len());
    let (mut rest, mut told) = (text, vec![false; calls]);
    let mut parts = Vec::with_capacity(held.len() + calls + 1);
    let words = |words: &'a str| (!words.trim().is_empty()).then_some(Part::Said(words));
    for part in held {
        if let Some(bytes) = mark(part, "said") {
            let kept = bytes.saturating_sub(lost);
            lost = lost.saturating_sub(bytes);
            let (said, more) = rest.split_at(rest.floor_char_boundary(kept));
            parts.extend(words(said));
            rest = more;
        } else if let Some(at) = mark(part, "called") {
            if told.get(at) == Some(&false) {
                told[at] = true;
                parts.push(Part::Called(at));
            }
        } else {
            parts.push(Part::Sealed(part));
        }
    }
    parts.extend(words(rest));
    parts.extend((0..calls).filter(|at| !told[*at]).map(Part::Called));
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn finished(places: &[u64]) -> Finished {
        Finished { places: places.iter().map(|place| Some(*place)).collect(), ..Finished::default() }
    }

    /// Parts as `<sealed>`, words and `#call`.
    fn shape(replay: &Replay, text: &str, calls: usize) -> String {
        let one = |part: Part<'_>| match part {
            Part::Sealed(part) => format!("<{}>", part.as_str().unwrap_or_default()),
            Part::Said(words) => words.trim().to_owned(),
            Part::Called(at) => format!("#{at}"),
        };
        laid_out(replay, text, calls).into_iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn parts_stand_where_they_stood() {
        let mut order = Order::default();
        order.seal(0, Value::Null);
        order.said(1, "One. ".len());
        order.seal(0, json!("r1"));
        order.seal(2, json!("r2"));
        order.called(3);
        order.called(4);
        order.said(5, "Two.".len());
        let replay = order.finish(&finished(&[3, 4]));
        assert_eq!(shape(&replay, "One. Two.", 2), "<r1> One. <r2> #0 #1 Two.");
        assert_eq!(shape(&replay, "One. Two.", 1), "<r1> One. <r2> #0 Two.", "a call that is not there");
        assert_eq!(shape(&replay, "One. Two. Three.", 3), "<r1> One. <r2> #0 #1 Two. Three. #2", "what has no place");
    }

    #[test]
    fn servers_that_count_no_places() {
        let mut order = Order::default();
        order.seal(0, json!("r1"));
        order.said(0, "\n\nOne.".len());
        order.seal(0, json!("r2"));
        order.called(0);
        order.called(0);
        let replay = order.finish(&finished(&[0, 0]));
        assert_eq!(shape(&replay, "One.", 2), "<r1> One. <r2> #0 #1", "white space at the beginning was not kept");
    }

    #[test]
    fn what_was_kept_without_an_order() {
        assert_eq!(shape(&Replay(json!(["r1", "r2"])), "One.", 2), "<r1> <r2> One. #0 #1");
        assert_eq!(shape(&Replay::default(), "One.", 1), "One. #0");
        let mut order = Order::default();
        order.said(0, 3);
        order.called(1);
        assert_eq!(order.finish(&finished(&[1])), Replay(json!([])), "nothing is sealed");
    }

    proptest! {
        #[test]
        fn any_marks_tell_all_of_it_once(
            marks in prop::collection::vec(prop_oneof![
                any::<u32>().prop_map(|n| json!({ "said": n })), (0..40_u32).prop_map(|n| json!({ "said": n })),
                (0..4_u32).prop_map(|n| json!({ "called": n })), Just(json!("r")), Just(json!({ "said": "x" })), Just(json!(null)),
            ], 0..8),
            text in "[aé日 ]{0,20}", calls in 0..4_usize,
        ) {
            let replay = Replay(marks.into());
            let parts = laid_out(&replay, &text, calls);
            let words: String = parts.iter().filter_map(|part| if let Part::Said(words) = part { Some(*words) } else { None }).collect();
            let bare = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(bare(&words), bare(&text));
            let mut told: Vec<usize> = parts.iter().filter_map(|part| if let Part::Called(at) = part { Some(*at) } else { None }).collect();
            told.sort_unstable();
            prop_assert_eq!(told, (0..calls).collect::<Vec<_>>());
        }
    }
}
