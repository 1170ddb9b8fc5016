// Chinese labels of the codes. The types keep the lists complete: a new code does not compile until it has a label.

import type { ChangeKind, Pace, Status } from './generated.js';

export const STATUS: Record<Status, string> = {
  ASSIGNED: '已交办',
  IN_PROGRESS: '整改中',
  SUBMITTED: '提请销号',
  VERIFIED: '核查通过',
  PUBLICISED: '公示中',
  CLOSED: '已销号',
  CLOSED_ONGOING: '已销号（长期坚持）',
  RETURNED: '已退回',
  REOPENED: '反弹',
  NOT_APPLICABLE_PROPOSED: '申请不涉及',
  NOT_APPLICABLE: '不涉及',
};

export const PACE: Record<Pace, string> = {
  AHEAD: '超前',
  ON_SCHEDULE: '达到序时进度',
  BEHIND: '未达序时进度',
  OVERDUE: '逾期',
  DONE: '完成',
};

export const CHANGE: Record<ChangeKind, string> = {
  IMPORTED: '导入台账',
  PROGRESS_REPORTED: '填报进展',
  ASSIGNED: '责任分解',
  ACCEPTED: '签收',
  DECLINED: '退回任务',
  NOT_APPLICABLE_PROPOSED: '申请不涉及',
  NOT_APPLICABLE_CONFIRMED: '认定不涉及',
  NOT_APPLICABLE_REJECTED: '不认定不涉及',
  CLOSE_OUT_APPLIED: '提请销号',
  VERIFIED: '核查通过',
  RETURNED: '退回整改',
  PUBLICISED: '公示',
  OBJECTED: '收到异议',
  OBJECTION_DECIDED: '异议处理',
  CLOSED: '销号',
  REOPENED: '反弹',
  CHECKED: '检查',
  EVIDENCE_ADDED: '上传佐证材料',
  EXTENSION_REQUESTED: '申请延期',
  EXTENSION_DECIDED: '延期审批',
  SUPERVISED: '督办',
  SUPERVISION_LIFTED: '解除督办',
  SUPERVISION_PROPOSED: '建议挂牌督办',
  SUPERVISION_DISMISSED: '未采纳督办建议',
  COMMENTED: '批示意见',
  DISCLOSED: '公开',
  EDITED: '台账修改',
  HANDED_OVER: '交办案件',
  RESOLVED: '案件办结',
  HELD_TO_ACCOUNT: '责任追究',
  REMOVED: '删除或并入',
};

/** Returns the label of a pace, or a dash for null. */
export const pace = (value: Pace | null) => (value ? PACE[value] : '—');

/** Formats a rate as a percentage, or a dash for null (a zero denominator). */
export const percent = (rate: number | null) => (rate === null ? '—' : `${(rate * 100).toFixed(1)}%`);

/** Formats a moment in the ledger's time zone, not the reader's, so that it falls on the ledger's date. */
export const moment = (at: string) => new Date(at).toLocaleString('zh-CN', { timeZone: 'Asia/Shanghai' });
