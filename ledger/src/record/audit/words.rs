//! The audit in the words of people: what an act is called, and which fields it changed from what to what.

use entity::assignment::Status;
use entity::case_pollution::Pollution;
use entity::inspection_case::{CaseState, Channel, Handling};
use entity::leader::Post;
use sea_orm::ActiveEnum;
use serde_json::{Map, Value};

use crate::rule::{case_flow, leader, workflow};

/// Codes of acts with their names in Chinese and English.
const ACTS: &[(&str, &str, &str)] = &[
    ("ACCEPTED", "签收", "Accepted"),
    ("ACCOUNT_CREATED", "建立账户", "Account created"),
    ("ACCOUNT_DISABLED", "停用账户", "Account disabled"),
    ("ACCOUNT_EDITED", "修改账户", "Account edited"),
    ("ACCOUNT_ENABLED", "启用账户", "Account enabled"),
    ("ACCOUNT_ERASED", "删除个人信息", "Personal data erased"),
    ("ACCOUNTABILITY_RECORDED", "登记责任追究", "Accountability recorded"),
    ("ASSIGNED", "责任分解", "Assigned"),
    ("CALENDAR_CREATED", "建立日历订阅", "Calendar created"),
    ("CANCELLED", "取消发送邮件", "Mail cancelled"),
    ("CHECKED", "登记检查", "Check recorded"),
    ("CHECKS_PLANNED", "安排检查", "Checks planned"),
    ("CLOSED", "销号", "Closed"),
    ("CLOSE_OUT_APPLIED", "提请销号", "Applied for close-out"),
    ("COMMENTED", "批示、意见", "Commented"),
    ("CREATED", "新建", "Created"),
    ("DATA_EXPORTED", "导出个人信息", "Personal data exported"),
    ("DEADLINE_CHANGED", "变更时限", "Deadline changed"),
    ("DECLINED", "退回任务", "Declined"),
    ("DECISIONS_TAKEN_OVER", "接收导入读法", "Import decisions taken over"),
    ("DECISION_CHANGED", "修改导入读法", "Import decision changed"),
    ("DECISION_FORGOTTEN", "删除导入读法", "Import decision forgotten"),
    ("DELEGATED", "委托", "Delegated"),
    ("DELEGATE_SIGNED_IN", "代办登录", "Delegate signed in"),
    ("DELEGATION_ENDED", "结束委托", "Delegation ended"),
    ("DELETED", "删除", "Deleted"),
    ("DENIED", "无权办理", "Denied"),
    ("DIGEST_SET", "开关提醒邮件", "Digest switched on or off"),
    ("DISCLOSED", "公开公示", "Notice disclosed"),
    ("EDITED", "修改", "Edited"),
    ("EVIDENCE_ADDED", "上传佐证材料", "Evidence uploaded"),
    ("EXTENSION_DECIDED", "审批延期", "Extension decided"),
    ("EXTENSION_REQUESTED", "申请延期", "Extension requested"),
    ("FIGURE_RECORDED", "登记公布数", "Published figure recorded"),
    ("HANDED_OVER", "交办", "Handed over"),
    ("HELD_TO_ACCOUNT", "登记、更正责任追究", "Accountability recorded or corrected"),
    ("IDENTITY_BOUND", "绑定统一身份", "Identity bound"),
    ("IDENTITY_UNBOUND", "解除统一身份", "Identity unbound"),
    ("IMPORTED", "导入", "Imported"),
    ("INVITED", "邀请", "Invited"),
    ("JOB_RUN", "手动运行任务", "Job run by hand"),
    ("LEADER_ERASED", "删除领导个人信息", "Leader's personal data erased"),
    ("MAIL_ACKNOWLEDGED", "签收邮件", "Mail acknowledged"),
    ("MERGED", "合并", "Merged"),
    ("NOT_APPLICABLE_CONFIRMED", "认定不涉及", "Confirmed as not applicable"),
    ("NOT_APPLICABLE_PROPOSED", "申请不涉及", "Proposed as not applicable"),
    ("NOT_APPLICABLE_REJECTED", "不予认定不涉及", "Not applicable rejected"),
    ("OBJECTED", "登记异议", "Objection recorded"),
    ("OBJECTION_DECIDED", "答复异议", "Objection decided"),
    ("OPENED", "新建督察轮次", "Round added"),
    ("OWNERSHIP_SET", "确定主责、共性", "Ownership set"),
    ("PARTIES_SET", "确定责任单位", "Responsible units set"),
    ("PASSWORD_LINK_ASKED", "申请重设密码", "Password link requested"),
    ("PASSWORD_SET", "设置密码", "Password set"),
    ("PROGRESS_REPORTED", "填报进展", "Progress reported"),
    ("PUBLICISED", "公示", "Notice published"),
    ("QUEUED", "重新发送邮件", "Mail queued again"),
    ("REMOVED", "删除", "Removed"),
    ("REOPENED", "登记反弹", "Reopened"),
    ("RESENT", "重新推送", "Delivery sent again"),
    ("RESOLVED", "办结", "Resolved"),
    ("RESULT_RECORDED", "登记督察成果", "Result recorded"),
    ("RETIRED", "撤销", "Withdrawn"),
    ("RETURNED", "退回", "Returned"),
    ("RULE_SET", "修改提醒规则", "Reminder rule changed"),
    ("SECOND_FACTOR_REMOVED", "取消两步验证", "Second factor removed"),
    ("SECOND_FACTOR_SET", "启用两步验证", "Second factor set"),
    ("SECRET_ROTATED", "更换密钥", "Secret rotated"),
    ("SESSION_REVOKED", "结束会话", "Session ended"),
    ("SIGNED_IN", "登录", "Signed in"),
    ("SIGN_IN_FAILED", "登录失败", "Sign-in failed"),
    ("SUPERVISED", "督办", "Supervised"),
    ("SUPERVISION_DISMISSED", "不采纳督办建议", "Proposal dismissed"),
    ("SUPERVISION_LIFTED", "解除督办", "Supervision lifted"),
    ("SUPERVISION_PROPOSED", "建议挂牌督办", "Listing proposed"),
    ("SUPPRESSED", "停止投递", "Address suppressed"),
    ("SUPPRESSION_LIFTED", "恢复投递", "Suppression lifted"),
    ("TESTED", "测试接口", "Webhook tested"),
    ("TOKEN_CREATED", "新建令牌", "Token created"),
    ("VERIFIED", "核查通过", "Verified"),
];

/// Names of fields with their labels in Chinese and English. Fields that are not listed concern the program only.
const FIELDS: &[(&str, &str, &str)] = &[
    ("acceptedAt", "签收时间", "Accepted at"),
    ("address", "邮箱", "Mail address"),
    ("addresses", "邮箱", "Mail addresses"),
    ("aliases", "别名", "Aliases"),
    ("amount", "数量", "Amount"),
    ("answerBy", "答复期限", "Answer by"),
    ("asOf", "截至日期", "As of"),
    ("batch", "批次", "Batch"),
    ("budget", "投资", "Budget"),
    ("channel", "举报方式", "Channel"),
    ("check", "检查种类", "Kind of check"),
    ("closedOn", "销号日期", "Closed on"),
    ("completedOn", "完成日期", "Completed on"),
    ("content", "措施内容", "Content"),
    ("counted", "统计对象", "What is counted"),
    ("deadline", "整改时限", "Deadline"),
    ("decided", "决定", "Decision"),
    ("decisions", "决定数", "Decisions"),
    ("declinedAt", "退回时间", "Declined at"),
    ("description", "问题描述", "Description"),
    ("digest", "提醒", "Digest"),
    ("documentNumber", "文号", "Document number"),
    ("dueOn", "办理时限", "Due on"),
    ("finding", "查实情况", "Finding"),
    ("findings", "检查发现", "Findings"),
    ("goal", "整改目标", "Goal"),
    ("handedOverOn", "交办日期", "Handed over on"),
    ("handling", "办理类型", "Handling class"),
    ("isKey", "重点案件", "Key case"),
    ("isMuted", "是否关闭", "Switched off"),
    ("isUpheld", "异议是否成立", "Objection upheld"),
    ("kind", "种类", "Kind"),
    ("label", "原文名称", "Words of the report"),
    ("lead", "牵头单位", "Lead unit"),
    ("leadUnit", "主办单位", "Lead unit"),
    ("leaders", "领导（不记录姓名）", "Leaders (names are not recorded)"),
    ("looksBackAt", "回头看的对象", "Looks back at"),
    ("mailHolder", "收到邮件的邮箱", "Holder of the mail to"),
    ("meetingAt", "约谈时间", "Time of the interview"),
    ("money", "金额（元）", "Total in yuan"),
    ("name", "名称", "Name"),
    ("newDueOn", "新的时限", "New deadline"),
    ("noticeFrom", "公示开始", "Notice from"),
    ("noticeUntil", "公示截止", "Notice until"),
    ("number", "编号", "Number"),
    ("oldDueOn", "原时限", "Old deadline"),
    ("period", "所属期", "Period"),
    ("place", "地点", "Place"),
    ("pollution", "污染类型", "Kinds of pollution"),
    ("printed", "原文", "As printed"),
    ("reason", "理由", "Reason"),
    ("region", "地区", "Region"),
    ("repeatOf", "重复件", "Repeat of"),
    ("resolvedOn", "办结日期", "Resolved on"),
    ("result", "检查结果", "Result"),
    ("role", "角色", "Role"),
    ("source", "出处", "Source"),
    ("state", "状态", "State"),
    ("status", "状态", "Status"),
    ("summary", "案情摘要", "Summary"),
    ("supervising", "督导单位", "Supervising unit"),
    ("text", "内容", "Text"),
    ("title", "标题", "Title"),
    ("topic", "统计内容", "Topic"),
    ("unit", "单位", "Unit"),
    ("validUntil", "有效期至", "Valid until"),
    ("words", "意见", "Opinion"),
];

/// One field that an act changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedField {
    /// The name of the field, such as `status`.
    pub field: String,
    /// The label of the field, in Chinese and English.
    pub label: (&'static str, &'static str),
    /// The value before; `None` if it was not set.
    pub before: Option<String>,
    /// The value after; `None` if it is not set.
    pub after: Option<String>,
}

/// Returns the name of an act in Chinese and English; its code if it has none.
pub fn act(code: &str) -> (&str, &str) {
    ACTS.iter().find(|(known, ..)| *known == code).map_or((code, code), |(_, zh, en)| (*zh, *en))
}

/// Returns what an entry changed, from the states before and after that it records. Fields that concern the program
/// only are left out.
pub fn changes(before: &str, after: &str) -> Vec<ChangedField> {
    let read = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap_or_default();
    let (before, after) = (read(before), read(after));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let change = |name: &String| {
        let (_, zh, en) = FIELDS.iter().find(|(known, ..)| *known == name.as_str())?;
        let value = |of: &Map<String, Value>| of.get(name).and_then(|value| written(name, value));
        let (before, after) = (value(&before), value(&after));
        (before != after).then(|| ChangedField { field: name.clone(), label: (zh, en), before, after })
    };
    names.into_iter().filter_map(change).collect()
}

/// Writes a value for people: statuses by their names, rows by their global ids.
fn written(name: &str, value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(match name {
            "status" => {
                Status::try_from_value(text).map_or_else(|_| text.clone(), |of| workflow::status_name(of).into())
            }
            "state" => {
                CaseState::try_from_value(text).map_or_else(|_| text.clone(), |of| case_flow::state_name(of).into())
            }
            "handling" => {
                Handling::try_from_value(text).map_or_else(|_| text.clone(), |of| case_flow::handling_name(of).into())
            }
            "channel" => {
                Channel::try_from_value(text).map_or_else(|_| text.clone(), |of| case_flow::channel_name(of).into())
            }
            "pollution" => {
                Pollution::try_from_value(text).map_or_else(|_| text.clone(), |of| case_flow::pollution_name(of).into())
            }
            "leaders" => Post::try_from_value(text).map_or_else(|_| text.clone(), |of| leader::post_name(of).into()),
            _ => text.clone(),
        }),
        Value::Number(key) => Some(match name {
            "unit" | "lead" | "leadUnit" | "supervising" => format!("unit_{key}"),
            "region" => format!("region_{key}"),
            "repeatOf" => format!("case_{key}"),
            _ => key.to_string(),
        }),
        Value::Bool(is) => Some(if *is { "是" } else { "否" }.to_owned()),
        Value::Array(values) => Some(values.iter().filter_map(|one| written(name, one)).collect::<Vec<_>>().join("、")),
        Value::Object(fields) => fields.get("raw").and_then(|raw| written("raw", raw)),
    }
    .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use entity::change::ChangeKind;
    use sea_orm::Iterable;

    use super::*;

    #[test]
    fn every_kind_of_change_has_a_name_once() {
        for kind in ChangeKind::iter().map(|kind| kind.to_value()) {
            assert_ne!(act(&kind), (kind.as_str(), kind.as_str()), "{kind} is missing in ACTS");
        }
        assert!(ACTS.is_sorted_by(|one, other| one.0 != other.0), "two names for one code");
    }
}
