// Tables of what the desk says of people, calls and cases, by the API's names: [Chinese, English].

// Whether somebody could be reached, and if not, why.
export const standings = {
  proven: ["已证实", "proven"],
  unproven: ["近30天未证实", "not proven within 30 days"],
  retired: ["联系方式全部失效", "every contact point expired"],
  none: ["没有推送、短信等联系方式（仅有电话号码或打开的页面不算）", "no push, text message or other contact point (a telephone number alone or an open page is not counted)"],
  missing: ["不在名册中", "not in the roster"],
};

// What a system alarm means, and what to do; more of it is in deploy/RUNBOOK.md.
export const incidents = {
  owed: ["有人5秒没有呼叫结果：请打电话给他们", "No word of calls after 5 s: telephone those people"],
  late: ["该升级没有升级：请打开警情，点“升级”", "A call has not widened: open the case and press “Widen now”"],
  silent: ["程序没有应答：请打电话通知；让管理员重新启动", "A program does not answer: call people by telephone; have it started again"],
  blind: ["监视程序看不到全部：请打电话核实，通知管理员", "The watchdog does not see all: check by telephone, tell the administrator"],
  channel: ["一种呼叫方式全部失败：请打电话，通知管理员", "Every call over one channel fails: telephone, tell the administrator"],
  waiting: ["报警或呼叫积压未处理：请接听电话并打电话叫人，通知管理员", "Presses or calls are left lying: telephone people, tell the administrator"],
  backlog: ["多人还没有响铃：请先为最急的警情打电话", "People still wait for their first ring: telephone for the most urgent cases"],
  intake: ["报警收不进或收得慢：请留意电话，通知管理员", "Presses are refused or stored late: mind the telephone, tell the administrator"],
  rubbish: ["一个按键发来的内容无法读取：请打电话给这户", "A button sends what cannot be read: telephone that household"],
  button: ["一个按键不停发送，已断开：可能真的有事，请打电话给这户", "A button sent without end and was cut off: it may be real, telephone that household"],
  projection: ["历史和统计停了，报警不受影响：通知管理员", "History and reports stand still, alarms do not: tell the administrator"],
  archive: ["备份停了，报警不受影响：通知管理员", "The archive stands still, alarms do not: tell the administrator"],
};

// What an operator can do about the escalation of a case, by the name of its path.
export const deeds = {
  widen: { words: ["升级", "Widen now"], sure: ["立即呼叫更多人，不再等待。确定吗？", "More people are called at once. Are you sure?"] },
  pause: { words: ["暂停5分钟", "Pause 5 min"], sure: ["5分钟内不会自动呼叫更多人。确定吗？", "Nobody else is called by itself for 5 minutes. Are you sure?"] },
  resume: { words: ["继续升级", "Resume"], sure: ["暂停立即结束；如期间已到升级时间，马上呼叫更多人。确定吗？", "The pause ends now; if a step fell due meanwhile, more people are called at once. Are you sure?"] },
  "stand-down": { words: ["解除其余", "Stand down the rest"], sure: ["已应答的人不受影响；之后如再升级，会再次呼叫他们。确定吗？", "Those who have answered are not affected; the others are called again if the call widens later. Are you sure?"] },
  calls: { words: ["再呼叫一人", "Call one more"], sure: ["呼叫过的人会再次响铃。", "Who was called before is rung again."] },
  "hand-over": { words: ["移交110", "Hand over to 110"], sure: ["立即通知110指挥中心，警情仍由您跟进至结案。确定吗？", "The 110 centre is told at once; the case stays yours until it is closed. Are you sure?"] },
};

// Why a call widened.
export const becauses = {
  no_answer: ["应答不够", "too few answered"],
  pointless: ["已呼叫的人不可能足够", "those called could not be enough"],
  late: ["逾时无人到场", "nobody arrived in time"],
  pause_over: ["暂停结束", "the pause was over"],
  operator: ["值班员要求", "the operator asked for it"],
  duress: ["报警人受胁迫", "the one who pressed is under duress"],
};

// Why somebody's next channel rang.
export const nextBecauses = {
  failed: ["前面的方式失败", "what rang before failed"],
  not_delivered: ["未送达也未应答", "not delivered, no answer"],
};

export const states = {
  owed: ["待呼叫", "To be called"],
  unknown: ["不明", "Unknown"],
  failed: ["失败", "Failed"],
  sent: ["已发出", "Sent"],
  delivered: ["已送达", "Reached"],
  seen: ["已看到", "Seen"],
};

export const channels = {
  live: ["页面", "Page"],
  webpush: ["推送", "Push"],
  webhook: ["接口", "Webhook"],
  sms: ["短信", "Text message"],
  apprise: ["消息应用", "Messenger"],
};

export const statuses = {
  raised: ["无人前往", "Nobody coming"],
  under_way: ["有人前往", "On the way"],
  on_scene: ["已到场", "On scene"],
  resolved: ["已结案", "Resolved"],
  cancelled: ["已撤销", "Cancelled"],
};

export const resolutions = {
  helped: ["已救助", "Helped"],
  false_alarm: ["误报", "False alarm"],
  handed_over: ["已移交110", "Handed over to 110"],
  other: ["其他", "Other"],
};

export const sources = { http: ["手机", "Phone"], mqtt: ["按钮", "Button"], cli: ["命令行", "Command line"], desk: ["指挥台代报", "By the desk"], import: ["历史导入", "Imported"] };

// Why a call failed, as the fan-out writes it down. What a provider said stays as it is.
const reasons = [
  [/^no open page$/, () => "页面未打开"],
  [/^the open page did not answer within ([\d.]+) s$/, (s) => `页面${s}秒内没有回应`],
  [/^the open page's answer cannot be read/, () => "页面的回应无法读取"],
  [/^the message server is away/, () => "消息服务器中断"],
  [/^subscription gone/, () => "推送已失效，需重新打开通知"],
  [/^the push subscription cannot be used/, () => "推送登记无法使用"],
  [/^no contact point for this channel any more/, () => "已没有这种联系方式"],
  [/^the webhook's secret is not/, () => "接口密钥有误"],
  [/^the endpoint is no URL/, () => "接口地址有误"],
  [/^its certificate is not valid/, () => "对方证书无效"],
  [/^HTTP (\d+)/, (status) => `对方拒收（${status}）`],
  [/^no proper answer/, () => "对方没有正常应答"],
  [/^the Apprise URL /, () => "消息推送地址无法使用"],
  [/^the service is not on a public address/, () => "消息服务不在公网"],
  [/^no connection, or no answer in time/, () => "没有连上，或没有及时应答"],
  [/^no answer in time/, () => "没有及时应答，也许已收到"],
  [/^the service did not take it/, () => "消息服务没有接收"],
  [/^an error of the library/, () => "消息服务出错"],
  [/^answered or stood down before/, () => "已应答或已解除，不再呼叫"],
  [/^case closed before/, () => "警情已结束，不再呼叫"],
  [/^left out before/, () => "已设为不呼叫"],
  [/^lives there/, () => "住在该户，静默后不再呼叫"],
  [/^another process made/, () => "已由其他进程呼叫"],
  [/^came back from a backup/, () => "由备份恢复，没有呼叫"],
  [/^worker stopped before/, () => "进程中断，结果不明"],
  [/^this channel is not set up/, () => "本系统未开通该渠道"],
  [/^no connection to the SMSC/, () => "短信中心未连接"],
  [/^Apprise could not be loaded/, () => "消息推送未能及时启动"],
  [/^an error of ours/, () => "本系统出错"],
];

// [Chinese, English]; both the same for a reason that is not known here.
export function reasonWords(reason) {
  const [pattern, said] = reasons.find(([known]) => known.test(reason)) ?? [];
  return [pattern ? said(...pattern.exec(reason).slice(1)) : reason, reason];
}
