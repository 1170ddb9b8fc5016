//! Chinese labels of the fields of nouns, as headings of exported lists. Those of enum values are in the schema.

use crate::language::in_words;

/// The labels, by the name of the field; one that means something else in a type is named with its type.
const LABELS: &[(&str, &str)] = &[
    ("acceptedAt", "签收时间"),
    ("acceptingUnit", "验收单位"),
    ("account", "账户"),
    ("accountedCount", "已交账项数"),
    ("acknowledgedAt", "签收时间"),
    ("act", "操作"),
    ("actor", "操作人"),
    ("address", "网络地址"),
    ("Suppression.address", "邮箱"),
    ("after", "变更后"),
    ("amount", "数值"),
    ("ImportDecision.answer", "决定"),
    ("WebhookDelivery.answer", "接口答复"),
    ("answerBy", "答复期限"),
    ("answerLabel", "决定（文字）"),
    ("applicant", "申请人"),
    ("application", "销号申请"),
    ("appliedAt", "申请时间"),
    ("asOf", "截至日期"),
    ("assignment", "责任分解"),
    ("at", "时间"),
    ("bouncedAt", "退信时间"),
    ("event", "事项"),
    ("events", "推送哪些事项"),
    ("failingSince", "失败始于"),
    ("failures", "连续失败次数"),
    ("hasCalendar", "是否附日历"),
    ("attempts", "发送次数"),
    ("attemptedAt", "最近推送时间"),
    ("author", "填报人"),
    ("batch", "批次"),
    ("before", "变更前"),
    ("budget", "投资（万元）"),
    ("card", "黄牌、红牌"),
    ("category", "问题类型"),
    ("cause", "建议缘由"),
    ("chain", "审计链"),
    ("channel", "来源"),
    ("closedOn", "销号日期"),
    ("code", "代码"),
    ("completedCount", "当月完成项数"),
    ("completedOn", "完成日期"),
    ("computed", "系统统计数"),
    ("consequence", "处理方式"),
    ("contact", "联系人"),
    ("PublicNotice.contact", "异议受理"),
    ("content", "整改措施"),
    ("counted", "统计对象"),
    ("createdAt", "入账时间"),
    ("Account.createdAt", "创建时间"),
    ("Mail.createdAt", "创建时间"),
    ("Session.createdAt", "登录时间"),
    ("Webhook.createdAt", "创建时间"),
    ("WebhookDelivery.createdAt", "入队时间"),
    ("cron", "时间表达式"),
    ("cycle", "销号轮次"),
    ("deadline", "整改时限"),
    ("decidedAt", "审批时间"),
    ("decidedOn", "决定日期"),
    ("decider", "决定人"),
    ("decision", "审批意见"),
    ("declineReason", "退回理由"),
    ("declinedAt", "退回时间"),
    ("delegate", "受托人"),
    ("deliveredAt", "送达时间"),
    ("description", "问题描述"),
    ("detail", "说明"),
    ("difficulties", "存在的困难和问题"),
    ("disclosedAt", "公开时间"),
    ("documentNumber", "文号"),
    ("dueOn", "到期日"),
    ("email", "邮箱"),
    ("endorsedAt", "审核时间"),
    ("enteredOn", "进驻日期"),
    ("erasedAt", "个人信息删除时间"),
    ("expiresAt", "失效时间"),
    ("feedbackOn", "反馈日期"),
    ("finding", "查实情况"),
    ("findings", "检查情况"),
    ("goal", "整改目标"),
    ("handedOverOn", "交办日期"),
    ("handling", "办理类型"),
    ("hasSecondFactor", "是否两步验证"),
    ("hash", "哈希值"),
    ("headings", "表头"),
    ("id", "标识"),
    ("immediate", "是否立行立改"),
    ("inspectionCase", "交办案件"),
    ("isCalendar", "是否日历订阅"),
    ("isCompleted", "是否完成"),
    ("isCompletedBy", "是否仅知截至日期前完成"),
    ("isDifferent", "是否与系统统计数不同"),
    ("isDisabled", "是否停用"),
    ("isEnabled", "是否启用"),
    ("isKey", "是否重点件"),
    ("isLimited", "是否待设置两步验证"),
    ("isOpen", "是否可提异议"),
    ("isOverdue", "是否逾期"),
    ("isReachable", "是否可收邮件"),
    ("isReadOnly", "是否只读"),
    ("isRepeat", "是否重复件"),
    ("issuedAt", "下达时间"),
    ("issuer", "下达单位"),
    ("kind", "类型"),
    ("label", "说明"),
    ("language", "语言"),
    ("lastError", "最近一次错误"),
    ("lastReportedAt", "最近填报时间"),
    ("lastUsedAt", "最近使用时间"),
    ("latestReport", "最近进展"),
    ("leaders", "领导"),
    ("leadUnit", "牵头单位"),
    ("InspectionCase.leadUnit", "主办单位"),
    ("level", "层级"),
    ("liftReason", "解除理由"),
    ("liftedAt", "解除时间"),
    ("localDay", "日期"),
    ("looksBackAt", "回头看的对象"),
    ("madeBy", "检查人"),
    ("madeOn", "检查日期"),
    ("measure", "整改措施"),
    ("missingCount", "未交账项数"),
    ("mediaType", "文件格式"),
    ("milestones", "分步时限"),
    ("meetingAt", "约谈时间"),
    ("mergedInto", "并入"),
    ("money", "金额（万元）"),
    ("name", "名称"),
    ("Account.name", "姓名"),
    ("newDueOn", "延期后到期日"),
    ("newRaw", "延期后时限"),
    ("nextAttemptAt", "下次发送时间"),
    ("nextSteps", "下一步打算"),
    ("notice", "公示内容"),
    ("noticeFrom", "公示开始日期"),
    ("noticeUntil", "公示截止日期"),
    ("number", "编号"),
    ("objectId", "对象标识"),
    ("oldDueOn", "原到期日"),
    ("oldRaw", "原时限"),
    ("onBehalfOf", "代谁办理"),
    ("ongoing", "是否长期坚持"),
    ("opinion", "核查意见"),
    ("outcome", "整改成果"),
    ("overdueAfter", "此日后逾期"),
    ("overdueCount", "逾期项数"),
    ("owedCount", "应交账项数"),
    ("pace", "进度"),
    ("parent", "上级行政区"),
    ("payload", "推送内容"),
    ("people", "人数"),
    ("period", "报告期"),
    ("Check.period", "检查周期"),
    ("phone", "电话"),
    ("plannedDueOn", "计划到期日"),
    ("place", "约谈地点"),
    ("position", "序号"),
    ("post", "责任身份"),
    ("previousHash", "前一哈希值"),
    ("previousSecretUntil", "旧密钥有效至"),
    ("printed", "原文"),
    ("problem", "反馈问题"),
    ("question", "问题"),
    ("rank", "级别"),
    ("ratedProgress", "整改进度（台账）"),
    ("raw", "时限"),
    ("reason", "理由"),
    ("recipient", "接收单位"),
    ("recordedAt", "登记时间"),
    ("recorder", "登记人"),
    ("region", "行政区"),
    ("regionCode", "行政区代码"),
    ("relapse", "反弹情况"),
    ("remark", "备注"),
    ("reopenedAt", "重新打开时间"),
    ("repeatOf", "重复件的原案件"),
    ("requestedAt", "申请时间"),
    ("requester", "申请人"),
    ("resolvedOn", "办结日期"),
    ("result", "检查结果"),
    ("retiredOn", "撤并日期"),
    ("revokedAt", "撤销时间"),
    ("role", "角色"),
    ("round", "督察轮次"),
    ("roundName", "督察轮次"),
    ("sector", "行业"),
    ("sentAt", "发送时间"),
    ("sha256", "SHA-256"),
    ("signedInAt", "最近登录时间"),
    ("size", "大小（字节）"),
    ("source", "来源"),
    ("JobRun.summary", "运行结果"),
    ("state", "状态"),
    ("MonthlyAccount.state", "交账情况"),
    ("stated", "台账所写情况"),
    ("statedCloseOut", "销号情况（台账）"),
    ("statedPace", "进度（台账）"),
    ("statedPaceOn", "台账进度日期"),
    ("statedProgress", "整改进展（台账）"),
    ("status", "整改状态"),
    ("WebhookDelivery.status", "答复代码"),
    ("statusStatedOn", "台账状态日期"),
    ("stoppedAt", "停用时间"),
    ("subject", "主题"),
    ("submittedAt", "填报时间"),
    ("summary", "案情摘要"),
    ("supervisingUnit", "督导单位"),
    ("task", "整改任务"),
    ("taskNumber", "任务编号"),
    ("text", "进展情况"),
    ("thumbnailUrl", "缩略图地址"),
    ("title", "标题"),
    ("to", "收件人"),
    ("topic", "主题"),
    ("totalCount", "数量"),
    ("unit", "单位"),
    ("Assignment.unit", "责任单位"),
    ("updatedAt", "更新时间"),
    ("uploadedAt", "上传时间"),
    ("uploader", "上传人"),
    ("url", "下载地址"),
    ("Webhook.url", "接口地址"),
    ("validUntil", "有效期至"),
    ("verifiedAt", "核查时间"),
    ("verifier", "核查人"),
    ("version", "版本"),
    ("viewUrl", "查看地址"),
    ("webhook", "推送接口"),
    ("withdrawReason", "撤回理由"),
    ("withdrawnAt", "撤回时间"),
];

/// Returns the Chinese label of a field of an object; none if it has none.
fn known(object: &str, field: &str) -> Option<&'static str> {
    let of = |name: &str| LABELS.iter().find(|(known, _)| *known == name).map(|(_, label)| *label);
    of(&format!("{object}.{field}")).or_else(|| of(field))
}

/// Returns the label of a field of an object in Chinese; where it has none, its name as English words.
pub(crate) fn chinese(object: &str, field: &str) -> String {
    known(object, field).map_or_else(|| english(field), str::to_owned)
}

/// Returns the name of a field as English words: `Due on` for `dueOn`.
pub(crate) fn english(field: &str) -> String {
    let mut code = String::new();
    for letter in field.chars() {
        if letter.is_ascii_uppercase() {
            code.push('_');
        }
        code.push(letter);
    }
    in_words(&code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::listing::{listed, lists, values_of};
    use crate::graphql::schema::sdl;
    use crate::graphql::types::{Types, base};

    #[test]
    fn every_field_of_a_list_has_a_label() {
        let types = Types::read(&sdl());
        let mut bare = Vec::new();
        for list in lists(&types) {
            let noun = listed(&types, &list).unwrap();
            bare.extend(values_of(&types, noun).filter(|name| known(noun, name).is_none()).map(|name| (noun, name)));
            for (name, ty) in types.fields(noun) {
                let of = base(ty);
                let is_one = types.is_object(of) && types.field(of, "nodes").is_none() && !ty.to_string().contains('[');
                if is_one && known(noun, name).is_none() {
                    bare.push((noun, name));
                }
            }
        }
        assert_eq!(bare, Vec::new());
        assert_eq!((chinese("Measure", "dueOn"), english("dueOn")), ("到期日".to_owned(), "Due on".to_owned()));
    }
}
