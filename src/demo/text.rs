//! What the demo models say: sentences that suit most questions, chosen and ordered by the dice.

use serde_json::Value;

use super::chance::Dice;

/// How much a model has to say.
#[derive(Clone, Copy, Debug)]
pub(super) enum Length {
    /// An opening and two sentences: about 60 tokens.
    Short,
    /// An opening and four sentences: about 100 tokens.
    Medium,
    /// Paragraphs and a list: about 200 tokens.
    Long,
}

/// The answer's text.
pub(super) fn compose(length: Length, topic: &str, dice: &mut Dice) -> String {
    match length {
        Length::Short => brief(topic, 2, dice),
        Length::Medium => brief(topic, 4, dice),
        Length::Long => thorough(topic, dice),
    }
}

/// What the last message of the user begins with, in quotation marks; `your question` where there is no text.
pub(super) fn topic(messages: &[Value]) -> String {
    let is_user = |message: &&Value| message.get("role").and_then(Value::as_str) == Some("user");
    let text = messages.iter().rev().find(is_user).map(of_message).unwrap_or_default();
    let mut words = text.split_whitespace();
    let opening = words.by_ref().take(TOPIC_MAX_WORDS).collect::<Vec<_>>().join(" ");
    let kept: String = opening.chars().take(TOPIC_MAX_CHARS).collect();
    let whole = words.next().is_none() && kept == opening;
    let kept = kept.trim_end_matches(|end: char| end.is_whitespace() || ".,;:!?".contains(end));
    match (kept.is_empty(), whole) {
        (true, _) => "your question".to_owned(),
        (false, true) => format!("“{kept}”"),
        (false, false) => format!("“{kept}…”"),
    }
}

const TOPIC_MAX_WORDS: usize = 8;
const TOPIC_MAX_CHARS: usize = 60;

/// A message's text: its `content`, or the texts of the parts of its `content`.
pub(super) fn of_message(message: &Value) -> String {
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let texts = parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str));
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

fn brief(topic: &str, sentences: usize, dice: &mut Dice) -> String {
    format!("{} {}", opening(topic, dice), dice.pick(SENTENCES, sentences).join(" "))
}

fn thorough(topic: &str, dice: &mut Dice) -> String {
    let opening = opening(topic, dice);
    let framing = dice.pick(FRAMINGS, 2).join(" ");
    let points: Vec<String> = dice
        .pick(POINTS, 3)
        .iter()
        .enumerate()
        .map(|(index, point)| format!("{}. {point}", index + 1))
        .collect();
    let caution = dice.pick(CAUTIONS, 1).concat();
    let closing = dice.pick(CLOSINGS, 1).concat();
    format!(
        "{opening} {framing}\n\nI would look at three things:\n\n{}\n\n{caution} {closing}",
        points.join("\n")
    )
}

fn opening(topic: &str, dice: &mut Dice) -> String {
    dice.pick(OPENINGS, 1).concat().replacen("{topic}", topic, 1)
}

const OPENINGS: &[&str] = &[
    "You asked about {topic}.",
    "On {topic}, here is where I would begin.",
    "Happy to help with {topic}.",
    "Let us take {topic} one step at a time.",
    "Good that you bring up {topic}.",
    "As for {topic}, the short version is this.",
    "Thinking about {topic}, one thing stands out.",
    "There are several ways to look at {topic}; this is mine.",
];

const SENTENCES: &[&str] = &[
    "Start with the smallest version that could work, and add to it only when something asks for it.",
    "The usual mistake is to decide before looking: ten minutes with real examples tell you more than an hour of debate.",
    "Pick one thing to measure, write down what you expect, and compare the two a week later.",
    "Most of the benefit comes from the first simple step, so take that one today.",
    "If two options look equally good, choose the one that is easier to undo.",
    "Ask someone who has done it twice; the second time is where the lessons are.",
    "Keep what already works, change one part at a time, and note what each change did.",
    "A clear default beats a long list of settings, because most people never open the list.",
    "When it is hard to explain in two sentences, it is usually two questions, so split it.",
    "Write the plan on one page; whatever does not fit can probably wait.",
    "It depends mostly on how often you will repeat it: do rare things by hand and automate the frequent ones.",
    "Check the boring explanation first, since it is right far more often than the clever one.",
    "Set a limit on time or money before you begin, and look around when you reach it.",
    "Good enough now and better next week is worth more than perfect at the end of the year.",
    "Try it on a few cases that you know well before you trust it with those that you do not.",
    "What you leave out matters as much as what you put in, so be deliberate about both.",
];

const FRAMINGS: &[&str] = &[
    "It helps to separate what you know from what you assume, because the two call for different kinds of work.",
    "There is rarely a single right answer here, but a few questions make the wrong ones easy to see.",
    "The first thing to settle is whom it is for, and what they would notice if it went well.",
    "Much of the advice on this was written for larger cases than yours: take its reasons and leave its recipes.",
    "Two goals are at work, speed now and freedom later, and most disagreements are about which of them comes first.",
    "The question looks technical, but the answer usually turns on what you can afford to get wrong.",
    "I would treat the first attempt as a way to learn what the second one should be.",
    "What makes it harder than it looks is that the effects show up late and somewhere else.",
    "Before choosing a method, describe the result so plainly that a stranger could say whether you have reached it.",
    "Others have been here before, and what they regret is mostly what they did not write down.",
];

const POINTS: &[&str] = &[
    "**Scope.** Say what is in and, more usefully, what is out, so that the work has an end.",
    "**Evidence.** Collect five real examples, two of them awkward, and see what they have in common.",
    "**Cost.** Count the hours of upkeep as well as the hours of making; the first are paid every month.",
    "**Risk.** Name the failure that would hurt most, and find the cheapest way to notice it early.",
    "**People.** Find out who has to change a habit, and give them a reason that is theirs.",
    "**Timing.** Do what is hard to reverse last, when you know most.",
    "**Simplicity.** Remove a part and see whether anyone misses it; put it back only if someone does.",
    "**Feedback.** Choose a signal that you can read within a day, even if a slower one would be truer.",
    "**Alternatives.** Compare it with doing nothing, which is cheaper than it sounds and often good enough.",
    "**Ownership.** Decide who may say yes, for a plan that everyone may veto moves at the pace of the slowest.",
];

const CAUTIONS: &[&str] = &[
    "One caution: an early success on easy cases says little about the hard ones.",
    "One caution: averages hide the few people for whom it goes badly, so look at those one by one.",
    "One caution: once a number becomes a target, people will find ways to reach it that you did not mean.",
    "One caution: if the plan needs everyone to be careful all the time, it will fail on a Friday.",
    "One caution: what worked elsewhere came with circumstances that nobody thought to mention.",
    "One caution: the longer you wait to show it to someone, the harder it becomes to hear what they say.",
];

const CLOSINGS: &[&str] = &[
    "I am a demo model, so weigh the reasoning and not my authority.",
    "Being a demo model, I can offer you an order of thought rather than facts about your case.",
    "A real model would now ask about your situation; as a demo I can only say where I would look first.",
    "Tell me more and the answer changes, though as a demo model I change only the sentences.",
    "That is as far as a demo model goes: the next step is to try it and see.",
];
