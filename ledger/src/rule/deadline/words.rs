//! The words of deadlines: what is ongoing, immediate or done, and what else may stand before and after a date.

use super::Stated;
use super::text::{Cursor, QUOTES, trimmed, without_heading};

/// Words that begin work at once.
const IMMEDIATE: &[&str] = &[
    "立行立改",
    "立知立改",
    "立查立改",
    "立改立行",
    "即知即改",
    "即行即改",
    "即查即改",
    "边督边改",
    "边查边改",
    "立即启动",
    "立即整改",
    "立即开展",
    "立即实施",
    "立即落实",
    "立即执行",
    "立即",
    "马上整改",
    "即刻整改",
    "即时整改",
    "即日起",
];

/// Words that say that work never ends.
const LASTING: &[&str] =
    &["巩固提升", "长期", "持续", "常态化", "常态", "长效", "永久性", "永久", "永续", "经常性", "坚持不懈"];

/// Words that may stand beside those of [`LASTING`]: 长期坚持, 持续巩固提升, 常态化推进.
const DOING: &[&str] = &[
    "坚持", "推进", "整改", "实施", "开展", "执行", "落实", "保持", "巩固", "提升", "治理", "管理", "监管", "管护",
    "加强", "完善", "深化", "抓好", "工作", "任务", "机制",
];

/// Words that state that a problem is solved.
const COMPLETED: &[&str] = &[
    "已全部完成整改",
    "已全面完成整改",
    "已完成整改",
    "已整改完成",
    "已整改到位",
    "已全部完成",
    "已全面完成",
    "已完成",
    "已整改",
];

/// Words that state that a problem is closed out.
const CLOSED: &[&str] =
    &["已完成整改销号", "已完成验收销号", "已完成销号", "已整改销号", "已验收销号", "已销号", "已办结"];

/// What a deadline says without naming a date.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Classes {
    pub(super) immediate: bool,
    pub(super) ongoing: bool,
    pub(super) stated: Option<Stated>,
}

impl Classes {
    /// Combines two of them.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            immediate: self.immediate || other.immediate,
            ongoing: self.ongoing || other.ongoing,
            stated: self.stated.max(other.stated),
        }
    }
}

/// Reads a text that consists of such words only: 立行立改并长期坚持.
pub(super) fn classes(text: &str) -> Option<Classes> {
    let mut cursor = Cursor::new(text);
    let mut found = Classes::default();
    loop {
        while cursor.any(&["并", "且", "和", "及", "与", "后", "要"]).or_else(|| cursor.any(QUOTES)).is_some() {}
        found = found.and(cursor.attempt(class)?);
        if cursor.rest().chars().all(|letter| QUOTES.contains(&letter.to_string().as_str())) {
            return Some(found);
        }
    }
}

/// Reads one such word.
fn class(cursor: &mut Cursor<'_>) -> Option<Classes> {
    if cursor.any(IMMEDIATE).is_some() {
        cursor.any(&["完成整改", "整改到位", "完成", "到位"]);
        return Some(Classes { immediate: true, ..Classes::default() });
    }
    if cursor.any(CLOSED).is_some() {
        return Some(Classes { stated: Some(Stated::Closed), ..Classes::default() });
    }
    if cursor.any(COMPLETED).is_some() {
        return Some(Classes { stated: Some(Stated::Completed), ..Classes::default() });
    }
    let mut lasts = false;
    loop {
        let is_lasting = cursor.any(LASTING).is_some();
        if !is_lasting && cursor.any(DOING).is_none() {
            return lasts.then_some(Classes { ongoing: true, ..Classes::default() });
        }
        lasts |= is_lasting;
    }
}

/// Words that begin a description of what is due by a date.
const VERBS: &[&str] = &[
    "完成", "全面", "基本", "全部", "取得", "实现", "达到", "达标", "建成", "初步", "整改", "确保", "力争", "启动",
    "消除", "建立", "制定", "编制", "出台", "印发", "形成", "解决", "拆除", "关闭", "淘汰", "搬迁", "清理", "清运",
    "治理", "恢复", "修复", "投入", "投运", "运行", "开工", "竣工", "通过", "验收", "销号", "落实", "开展", "推进",
    "提交", "上报", "报送", "到位", "按期", "按时", "如期", "提前",
];

/// Checks whether words say what is due: they begin with a verb.
pub(super) fn says_what_is_due(words: &str) -> bool {
    VERBS.iter().any(|verb| words.starts_with(verb))
}

/// Words that only say that the whole is completed.
const COMPLETION: &[&str] = &[
    "全面", "基本", "全部", "按期", "按时", "如期", "完成", "整改", "到位", "任务", "工作", "验收", "销号", "问题",
    "反馈", "所有", "并", "确保",
];

/// Checks whether words only say that the whole is completed: 完成整改, 基本完成, 全面整改到位.
pub(super) fn says_completion(words: &str) -> bool {
    let mut cursor = Cursor::new(words);
    while cursor.any(COMPLETION).is_some() {}
    cursor.rest().is_empty()
}

/// Checks whether words of completion distinguish two dates: 基本完成 and 全面完成.
pub(super) fn grades_completion(words: &str) -> bool {
    ["基本", "全面", "全部", "初步"].iter().any(|word| words.contains(word))
}

/// Checks whether an aside in brackets after a date names what is due: 阶段性目标, 一期工程.
pub(super) fn names_what_is_due(words: &str) -> bool {
    const ENDS: &[&str] = &["目标", "任务", "阶段", "阶段性", "期", "工程", "项目", "部分", "成效", "工作"];
    says_what_is_due(words) || ENDS.iter().any(|end| words.ends_with(end))
}

/// Checks whether words leave the date to others: 按序时推进, 根据省级统一安排.
pub(super) fn leaves_open(words: &str) -> bool {
    const BEGINNINGS: &[&str] = &["按", "根据", "依据", "依照", "遵照", "参照", "结合", "序时", "与", "同"];
    BEGINNINGS.iter().any(|word| words.starts_with(word)) && !words.contains(|letter: char| letter.is_ascii_digit())
}

/// Checks whether words make the date depend on something.
pub(super) fn is_condition(words: &str) -> bool {
    const BEGINNINGS: &[&str] = &["视", "待", "如", "若", "除", "未", "不", "按", "根据", "依据", "暂", "尽"];
    BEGINNINGS.iter().any(|word| words.starts_with(word)) || words.contains("视情") || words.contains("除外")
}

/// Checks whether words may say that a date is not the deadline, in a way that is not understood.
pub(super) fn hints_at_change(words: &str) -> bool {
    const HINTS: &[&str] = &[
        "原定",
        "原计划",
        "原时限",
        "延期",
        "延长",
        "延后",
        "推迟",
        "调整为",
        "调整至",
        "变更",
        "不早于",
        "已于",
        "起至",
    ];
    HINTS.iter().any(|hint| words.contains(hint))
}

/// Checks whether words are the number of a list (一、 1、 （一）), which matters only if there are several dates.
pub(super) fn is_list_number(words: &str) -> bool {
    let mut cursor = Cursor::new(words);
    cursor.number(2).is_some() && cursor.rest().is_empty()
}

/// What words before a date say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The date is the deadline.
    Due,
    /// The date is a granted extension of an earlier one (已延期至).
    Granted,
    /// The date is an extension that is only requested (申请延期至).
    Requested,
    /// The date is the earlier deadline (原定于).
    Former,
    /// The date is the day of completion (已于).
    Completed,
}

/// The words before a date.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before<'a> {
    /// What is due, or empty.
    pub(super) label: &'a str,
    pub(super) role: Role,
    pub(super) classes: Classes,
    /// Words that do not change the date and are not kept, such as 力争.
    pub(super) idle: Option<&'static str>,
    /// Whether a colon marks the words as what is due.
    pub(super) explicit: bool,
}

/// Reads the words before a date.
pub(super) fn before(text: &str) -> Before<'_> {
    let explicit = text.ends_with(':');
    let text = text.trim_start_matches(':');
    let due = Before { label: "", role: Role::Due, classes: Classes::default(), idle: None, explicit };
    if let Some(role) = role(text) {
        return Before { role, ..due };
    }
    if explicit && classes(text.trim_end_matches(':')).is_none() {
        return Before { label: text.trim_end_matches(':'), ..due };
    }
    if let Some(event) = ["起至", "起到"].iter().find_map(|word| text.strip_suffix(word)) {
        let at_once = ["即日", "从即日", "自即日", "即刻", "现在"].contains(&event);
        let classes = Classes { immediate: at_once, ..Classes::default() };
        return if at_once { Before { classes, ..due } } else { Before { label: text, ..due } };
    }
    let (label, idle) = without_connectives(text);
    match classes(label) {
        // 持续推进至2024年底 ends; 长期坚持2024年底 does not.
        Some(classes) if text.ends_with(['至', '到']) => {
            Before { classes: Classes { ongoing: false, ..classes }, ..due }
        }
        Some(classes) => Before { classes, idle, ..due },
        None => Before { label, idle, ..due },
    }
}

/// Checks whether words say what is due even if they stand directly before a date, where 原定于 says something else.
pub(super) fn is_label(words: &str) -> bool {
    let marked = format!("{words}:");
    let read = before(&marked);
    read.label == words && read.role == Role::Due && without_heading(&marked) == marked
}

/// Removes the words that join a description to its date: 于, 在, 不迟于, and words of intent such as 力争, which are
/// returned.
fn without_connectives(mut text: &str) -> (&str, Option<&'static str>) {
    const SILENT: &[&str] = &[
        "不迟于",
        "不晚于",
        "截止到",
        "截至",
        "截止",
        "最迟",
        "务必",
        "确保",
        "于",
        "在",
        "至",
        "到",
        "自",
        "从",
        ":",
        "-",
        ",",
        ";",
        "、",
        "并",
    ];
    const INTENT: &[&str] = &["力争", "争取", "原则上", "预计"];
    let mut idle = ["计划", "拟"].into_iter().find(|word| text == *word);
    if idle.is_some() {
        return ("", idle);
    }
    loop {
        if let Some(rest) = SILENT.iter().find_map(|word| text.strip_suffix(word)) {
            text = rest;
        } else if let Some((word, rest)) = INTENT.iter().find_map(|word| Some((word, text.strip_suffix(word)?))) {
            idle = Some(*word);
            text = rest;
        } else {
            return (text, idle);
        }
    }
}

/// Reads words that say what a date is in a change of the deadline: 已延期至, 申请延期至, 原定于; or 已于, before the
/// day of completion.
fn role(text: &str) -> Option<Role> {
    const MOVED: &[&str] = &["延期", "延长", "延后", "顺延", "推迟", "展期", "调整", "变更", "延迟"];
    const FORMER: &[&str] =
        &["原定于", "原定", "原计划", "原整改时限为", "原整改时限", "原完成时限", "原时限为", "原时限", "原为", "原"];
    const GRANTED: &[&str] =
        &["", "已", "现", "现已", "经批准", "已批准", "经批准已", "经同意", "后", "再次", "再", "又"];
    const REQUESTED: &[&str] = &["申请", "拟", "建议", "计划", "正申请", "已申请", "拟申请", "正在申请"];
    let text = text.trim_end_matches([':', '于']);
    if FORMER.contains(&text) {
        return Some(Role::Former);
    }
    if ["已", "已经", "已在"].contains(&text) {
        return Some(Role::Completed);
    }
    let joined = ["至", "到", "为"].iter().find_map(|word| text.strip_suffix(word)).unwrap_or(text);
    let adverb = MOVED.iter().find_map(|word| joined.strip_suffix(word))?;
    match adverb {
        adverb if GRANTED.contains(&adverb) => Some(Role::Granted),
        adverb if REQUESTED.contains(&adverb) => Some(Role::Requested),
        _ => None,
    }
}

/// The words after a date.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct After<'a> {
    /// What is due, or empty.
    pub(super) words: &'a str,
    pub(super) classes: Classes,
}

/// Reads the words after a date, with words such as 并长期坚持 at their end.
pub(super) fn after(text: &str) -> After<'_> {
    let text = trimmed(text);
    let whole = After { words: text, classes: Classes::default() };
    let places = text.char_indices().map(|(at, _)| text.split_at(at));
    let mut split = places.filter(|(words, _)| words.is_empty() || says_what_is_due(words));
    split.find_map(|(words, rest)| Some(After { words: trimmed(words), classes: classes(rest)? })).unwrap_or(whole)
}

/// Returns the event that words such as 收到通知后 name. Returns `None` if they name none.
pub(super) fn event_of(words: &str) -> Option<&str> {
    const ENDS: &[&str] = &["之日起的", "之日起", "当日起", "日起", "之后的", "之后", "以后", "后的", "后", "起"];
    let words = words.strip_prefix('自').or_else(|| words.strip_prefix('从')).unwrap_or(words);
    ENDS.iter().find_map(|end| words.strip_suffix(end)).filter(|event| !event.is_empty())
}
