// Everything the pages say: [Chinese, English]. In one place, so that it can be read and corrected in one sitting.

export const w = {
  appName: ["一呼多应", "One call, many responders"],

  // the line to the server
  signedOut: ["登录已失效", "You are signed out"],
  signIn: ["重新登录", "Sign in again"],
  lineLost: ["连接已断开", "Connection lost"],
  lineStale: ["画面可能不是最新，正在重连", "What you see may be out of date; reconnecting"],
  lineConnecting: ["正在连接…", "Connecting…"],
  lineGood: ["已连接", "Connected"],
  serverAway: ["暂时连不上服务器，请重试", "The server does not answer; try again"],
  refused: ["没有成功", "It was refused"],
  tryAgain: ["重试", "Try again"],
  close: ["关闭", "Close"],
  back: ["返回", "Back"],
  yes: ["确定", "Yes"],
  no: ["不，返回", "No, go back"],
  sending: ["正在发送…", "Sending…"],
  due: ["应已到达", "Due now"],
  drill: ["演练", "DRILL"],
  drillLong: ["这是演练，不是真实警情", "This is a drill, not a real emergency"],
  silent: ["静默", "Silent"],
  minutes: (count) => [`${count}分钟`, `${count} min`],

  // sign-in
  signInTitle: ["登录", "Sign in"],
  signInHint: ["请打开发给您的登录链接，或在此粘贴登录码。", "Open the sign-in link you were given, or paste your code here."],
  signInCode: ["登录码", "Sign-in code"],
  signingIn: ["正在登录…", "Signing in…"],
  badCode: ["登录码无效或已停用，请向发码的人重新索取。", "This code is unknown, expired or withdrawn; ask for a new one."],
  noCode: ["请先输入登录码。", "Enter your code first."],

  notSignedIn: ["本机没有登录，不能报警，也收不到呼叫。遇险请拨打110。", "This device is not signed in: it can neither call for help nor be called. In danger call 110."],
  notKnown: ["未登记", "Not registered"],

  // resident
  callPolice: ["拨打110", "Call 110"],
  holdToCall: ["按住1秒", "Hold for 1 second"],
  keepHolding: ["继续按住…", "Keep holding…"],
  tooShort: ["没有发送。请按住满1秒。", "Nothing was sent. Hold it for a full second."],
  chooseKind: ["什么情况？（可不选）", "What is it? (optional)"],
  pressSending: ["正在报警…", "Sending your alarm…"],
  pressRetrying: ["还没有送出，正在不断重试", "Not sent yet; trying again and again"],
  pressCallNow: ["请现在就拨打110", "Call 110 now"],
  pressRefused: ["报警没有送出", "Your alarm was not sent"],
  pressAccepted: ["报警已收到", "Your alarm was received"],
  pressCalling: ["正在呼叫您的联防组和民警", "Calling your group and the police"],
  calledCount: (count) => [`已呼叫${count}人`, `${count} people were called`],
  reachedCount: (count) => [`其中${count}人已送达`, count === 1 ? "1 of them was reached" : `${count} of them were reached`],
  nobodyReached: ["还没有人收到，请同时拨打110", "Nobody could be reached yet: call 110 as well"],
  waitingAnswer: ["正在等人应答，请保持警惕", "Waiting for the first answer; stay alert"],
  moreCalledIn: (left, [zh, en]) => [`如应答不够，${left[0]}后将呼叫${zh}`, `If too few answer, ${en} will be called in ${left[1]}`],
  calledAgainIn: (left) => [`如应答不够，${left[0]}后将再次呼叫`, `If too few answer, they are called again in ${left[1]}`],
  widensIn: (left) => [`如应答不够，${left[0]}后将呼叫更多人`, `If too few answer, more people are called in ${left[1]}`],
  nobodyElse: ["已没有更多人可呼叫，请自行拨打110", "There is nobody else to call: call 110 yourself"],
  nobodyMore: ["已没有更多人可呼叫", "There is nobody else to call"],
  stillCalling: ["正在继续呼叫…", "Still calling…"],
  enoughComing: ["已有足够的人赶来", "Enough people are coming"],
  operatorSeesToIt: ["值班员正在处理", "The operator is seeing to it"],
  comingCount: (count) => [`${count}人正在赶来`, count === 1 ? "1 person is coming" : `${count} people are coming`],
  onSceneCount: (count) => [`${count}人已到场`, count === 1 ? "1 person has arrived" : `${count} people have arrived`],
  nearestIn: ["最近的人还有", "The nearest arrives in"],
  pressAgain: ["再次按键", "Press again"],
  pressedTimes: (count) => [`已按${count}次`, `Pressed ${count} times`],
  sinceAlarm: ["报警已过", "Since the alarm"],
  cancelHold: ["按住取消报警", "Hold to cancel the alarm"],
  cancelSure: ["确定已经没有危险，不需要人来了吗？", "Are you sure that the danger is over and nobody needs to come?"],
  cancelYes: ["是，取消报警", "Yes, cancel the alarm"],
  cancelNo: ["不，继续求助", "No, I still need help"],
  cancelPin: ["请输入密码", "Enter your PIN"],
  cancelWrongPin: ["密码不对，警报继续", "Wrong PIN; the alarm goes on"],
  cancelTooOften: (seconds) => [`试得太多，请等${seconds}秒；警报继续`, `Too many tries; wait ${seconds} s. The alarm goes on`],
  cancelSilent: ["静默报警只能由指挥中心解除，请拨打110", "A silent alarm is called off by the command centre alone: call 110"],
  cancelFailed: ["取消没有成功", "The alarm was not cancelled"],
  overResolved: ["本次警情已结束", "This alarm is over"],
  overHandedOver: ["已移交110处理", "The 110 emergency service has taken over"],
  overCancelled: ["本次报警已取消", "This alarm was cancelled"],
  quietSent: ["已收到", "Received"],
  ready: ["可以使用", "Ready"],
  notReady: ["未连接，遇险请拨打110", "Not connected: in danger, call 110"],
  notKnownHere: ["这户没有登记，按键叫不到邻居和民警。遇险请拨打110，并告诉村警务室。", "This household is not registered: the key calls nobody. In danger call 110, and tell your village police."],
  pushLate: ["按键仍可使用，会一直重试", "The key still works; it keeps trying"],

  // responder
  onCall: ["待命中", "Standing by"],
  onCallHint: ["有人按键求助时，本页会响铃。请保持页面打开。", "This page rings when somebody needs help. Keep it open."],
  offCall: ["现在收不到呼叫", "You cannot be called here now"],
  notKnownPerson: ["您没有登记，收不到呼叫。请告诉村警务室。遇险请拨打110。", "You are not registered and cannot be called: tell your village police. In danger call 110."],
  soundOn: ["打开铃声", "Turn the ring on"],
  soundIsOn: ["铃声已打开", "The ring is on"],
  soundTest: ["试响", "Test it"],
  soundNeeded: ["铃声未打开，点这里", "The ring is off: tap here"],
  pushOn: ["打开通知", "Turn notifications on"],
  pushIsOn: ["通知已打开", "Notifications are on"],
  pushDenied: ["通知被禁止，请在浏览器设置中允许", "Notifications are blocked; allow them in the browser's settings"],
  pushMissing: ["此浏览器不支持通知，请保持页面打开", "This browser has no notifications; keep this page open"],
  pushFailed: ["通知没有打开，请重试", "Notifications could not be turned on; try again"],
  needsHelp: ["有人求助，请应答", "Somebody needs help: answer"],
  muteRing: ["停止响铃", "Stop ringing"],
  going: ["前往", "I am going"],
  goingIn: ["几分钟到？", "There in"],
  onScene: ["已到场", "I am there"],
  cannot: ["无法前往", "I cannot"],
  yourAnswer: ["您的应答", "Your answer"],
  changeHint: ["情况有变可随时更改", "You can change it at any time"],
  answerSending: ["正在送出您的应答…", "Sending your answer…"],
  answerRetrying: ["还没有送出，正在重试。急事请打电话。", "Not sent yet; trying again. If it is urgent, phone."],
  answerFailed: ["您的应答没有送出", "Your answer was not recorded"],
  answerRecorded: ["应答已记录", "Your answer was recorded"],
  doNotRing: ["静默报警：不要回拨，不要鸣笛敲门", "Silent alarm: do not call back, no siren, no knocking"],
  duress: ["胁迫", "DURESS"],
  duressLong: ["报警人受胁迫！不要回拨，不要让对方看出您已知情", "Duress! Do not ring back, do not show that you know"],
  duressDesk: ["住户用胁迫密码“取消”了报警：住户端显示已取消，呼叫仍在继续", "The household “cancelled” with its duress PIN: it is shown cancelled there, and the call goes on"],
  sameHome: ["同一户先前受胁迫的警情仍在处置，地点相同", "The same household: its case under duress still goes on, at the same place"],
  duressBeside: ["该户在受胁迫期间再次报警，先前的警情仍在处置：住户端只看到一起普通的新警情", "The household pressed again while its case under duress goes on: there this is shown as a new case like any other"],
  callBack: ["打电话给住户", "Call the household"],
  othersGoing: ["其他人", "The others"],
  nobodyYet: ["还没有人应答", "Nobody has answered yet"],
  calledAlso: (count) => [`另有${count}人被呼叫`, `${count} others were called`],
  why: ["呼叫您的原因", "Why you are called"],
  thanksHelped: ["警情已处理，谢谢您", "It has been dealt with. Thank you"],
  standDown: ["警情已解除，不用再前往", "Stand down: nobody needs to come any more"],
  enoughHelp: ["已有足够人手，感谢您，不用前往", "Enough help is there, thank you: no need to come"],
  notToCome: ["不用前往", "No need to come"],
  recentCases: ["刚结束的警情", "Just closed"],

  // one-tap link
  linkLoading: ["正在读取…", "Loading…"],
  linkBad: ["链接无效或已过期", "This link is not valid any more"],
  linkTapOne: ["请点一个应答", "Tap one answer"],

  // desk
  desk: ["指挥台", "Operator's desk"],
  openCases: ["进行中", "Open"],
  nobodyComing: ["无人前往", "Nobody coming"],
  underWay: ["有人前往", "On the way"],
  arrived: ["已到场", "On scene"],
  allAreas: ["全部辖区", "All areas"],
  allKinds: ["全部类型", "All kinds"],
  noCases: ["没有进行中的警情", "No open cases"],
  noMatch: ["没有符合筛选的警情", "No open case matches the filters"],
  pickCase: ["选择一个警情查看详情", "Choose a case"],
  newAlarm: ["代为报警", "Raise an alarm"],
  household: ["住户", "Household"],
  householdHint: ["姓名、住址、电话或户号", "Name, address, phone or number"],
  chooseHousehold: ["请先选一户", "Choose a household first"],
  searching: ["正在查找…", "Searching…"],
  noHousehold: ["没有找到这户", "No such household"],
  moreHouseholds: ["可能还有，请多写几个字", "There may be more: write more of it"],
  kindWord: ["类型", "Kind"],
  raise: ["报警", "Raise it"],
  raised: ["报警已收到", "The alarm was accepted"],
  soundCases: ["提示音", "Sound"],
  responders: ["被呼叫的人", "Responders"],
  answerColumn: ["应答", "Answer"],
  stateColumn: ["呼叫结果", "Call"],
  recordFor: ["代记", "Record"],
  gaps: ["未能呼叫", "Could not be called"],
  leftOut: ["不得呼叫", "Left out"],
  leftOutHint: ["仅值班员可见", "seen by operators alone"],
  leftOutTrail: ["全部记录", "The whole record"],
  letIn: ["撤回", "taken back"],
  callLeftOut: ["此人不得为本户呼叫，仍要呼叫", "Call them although they are left out for this household"],
  timeline: ["经过", "Timeline"],
  historyAway: ["历史库暂不可用，报警与呼叫不受影响", "History is away; alarms and calls are not affected"],
  notes: ["记录", "Notes"],
  noteHint: ["写一条记录", "Write a note"],
  add: ["添加", "Add"],
  resolve: ["结案", "Resolve"],
  cancelCase: ["撤销警情", "Cancel the case"],
  cancelCaseSure: ["撤销后所有人停止前往。确定吗？", "Everybody stops coming. Are you sure?"],
  resolveSure: ["结案后所有人停止前往。确定吗？", "Everybody stops coming. Are you sure?"],
  reason: ["说明", "Reason"],
  dlq: ["未能处理的消息", "Could not be processed"],
  dlqNone: ["没有", "None"],
  incidents: ["系统告警", "System alarm"],
  recent: ["最近结束", "Recently closed"],
  escalation: ["升级", "Escalation"],
  timeLeft: (seconds) => (seconds < 100 ? [`${seconds}秒`, `${seconds} s`]
    : [`${Math.floor(seconds / 60)}分${seconds % 60}秒`, `${Math.floor(seconds / 60)} min ${seconds % 60} s`]),
  stepOf: (step, steps) => [`第${step}/${steps}步`, `step ${step} of ${steps}`],
  lastStepAgain: ["重复最后一步", "the last step again"],
  waitsForAnswers: (left, step) => [`等待应答，${left[0]}后自动升级（${step[0]}）`, `Waiting for answers; the call widens in ${left[1]} (${step[1]})`],
  waitsForMore: (left, step) => [`有人到场，人手未足；${left[0]}后自动升级（${step[0]}）`, `Somebody is there, but not enough; the call widens in ${left[1]} (${step[1]})`],
  waitsForArrival: (left, step) => [`已有足够人手，等待到场；${left[0]}内无人到场则升级（${step[0]}）`, `Enough are coming; if nobody is there in ${left[1]} the call widens (${step[1]})`],
  pausedUntil: (at, left, step) => [`已暂停至${at}，${left[0]}后升级（${step[0]}）`, `Paused until ${at}; the call widens in ${left[1]} (${step[1]})`],
  wideningNow: ["正在升级呼叫…", "The call is widening now…"],
  waitsForClosing: ["有人到场，等待结案", "Somebody is there; waiting for the case to be closed"],
  waitsForClosingTooFew: ["有人到场，人手未足；已升级到最后一步，等待结案", "Somebody is there, but not enough; every step was taken; waiting for the case to be closed"],
  notNeeded: (count) => [`${count}人尚未应答，将告知他们不用前往。`, count === 1 ? "1 who has not answered is told not to come." : `${count} who have not answered are told not to come.`],
  stoodDown: ["已解除", "Stood down"],
  whomToCall: ["人员编号（可从列表中选）", "Number of the person (known ones are listed)"],
  nextChannel: (channel, left) => (left ? [`${left[0]}后改用${channel[0]}`, `${channel[1]} in ${left[1]}`] : [`即将改用${channel[0]}`, `${channel[1]} now`]),
  handedOver: (by) => [`已移交110（${by}）`, `Handed over to 110 (${by})`],
  bySystem: ["自动", "by itself"],
  handedOverCalling: ["正在通知110…", "110 is being told…"],
  handedOverReached: ["已通知到110", "110 was told"],
  handedOverInVain: ["未能通知到110，请立即自行拨打110！", "110 was not told: telephone 110 yourself, now!"],
  handOverAgain: ["此警情已移交过110，将再次通知。", "This case was handed over to 110 before; it is told once more."],
  presses: (count) => [`按键${count}次`, `${count} presses`],
  pressedAt: ["按键", "Pressed"],
  acceptedAt: ["接收", "Accepted"],
  firstCall: ["首次发出", "First ring sent"],
  firstReached: ["首次送达", "First reached"],
  firstAnswer: ["首次应答", "First answer"],
  source: ["来源", "Source"],
  group: ["联防组", "Group"],
  phone: ["电话", "Phone"],
  noteWord: ["备注", "Note"],
  keys: ["J/K 上下选择 · N 记录 · Esc 返回", "J/K choose · N note · Esc back"],

  // drills
  drills: ["演练", "Drills"],
  newDrill: ["演练", "Drill"],
  drillOver: ["已结束", "Over"],
  drillRunning: ["进行中", "Running"],
  drillReport: ["演练报告", "Report of the drill"],
  noGroups: ["本辖区没有联防组", "There is no joint-defence group in your area"],
  householdsIn: (count) => [`${count}户`, `households: ${count}`],
  peopleCount: (count) => [`${count}人`, `people: ${count}`],
  unreachable: (count) => [`${count}人可能呼叫不到`, `${count} may not be reached`],
  endsAfter: ["多久后自动结束", "Ends by itself after"],
  alsoEscalate: ["含升级：邻组、邻村、派出所、指挥中心、110", "With escalation: neighbours, station, command centre, 110"],
  withEscalation: ["应答不够时也会呼叫邻组、邻村、派出所、指挥中心和110。", "Neighbours, the station, the command centre and 110 are called, too, if too few answer."],
  withoutEscalation: ["只呼叫所选的组和负责民警，不升级。", "Only the chosen groups and their officers are called."],
  whoIsRung: ["下一步：会呼叫谁", "Next: who will be rung"],
  beginDrill: ["开始演练，现在响铃", "Begin: ring them now"],
  endDrill: ["立即结束", "End it now"],
  drillPlanned: (groups, people, minutes) => [`${groups}组 ${people}人，${minutes}分钟后自动结束`, `groups: ${groups}, people: ${people}; ends after ${minutes} min`],
  drillSum: (called, reached, answered) => [`呼叫${called}人 · 送达${reached}人 · 应答${answered}人`, `${called} called · ${reached} reached · ${answered} answered`],

  // dead letters
  retry: ["重试", "Try again"],
  retrying: ["重试中", "Trying…"],
  retryLetter: ["重新处理", "Process it again"],
  dismissLetter: ["搁置", "Put aside"],
  dismissSure: ["保留记录，可以撤回。", "It is kept, and can be taken up again."],
  retrySure: ["已完成的呼叫不会重复。原因仍在时，它会留在这里。", "Calls that were made are not made again. If its cause is still there, it stays."],
  retryPressSure: ["将按现在的名册立即呼叫所有人，无法撤回。确定吗？", "Everybody is called now, which cannot be undone. Are you sure?"],
  oldPress: (text) => [`这是${text}前的按键`, `This press is ${text} old`],
  letterDismissed: ["已搁置", "Put aside"],
  letterRetried: ["已重新处理", "Processed again"],
  letterStays: ["仍然失败，保留在此", "It failed again and stays"],
  undo: ["撤回", "Undo"],

  etaLeft: (text) => [`还有${text}`, `in ${text}`],
};

export const kinds = {
  help: ["求助", "Help"],
  intrusion: ["入室", "Intrusion"],
  medical: ["急病", "Medical"],
  fire: ["火警", "Fire"],
};

export const roles = {
  group_leader: ["联防组长", "Group leader"],
  member: ["组员", "Member"],
  police_assistant: ["警务助理", "Police assistant"],
  auxiliary_officer: ["辅警", "Auxiliary officer"],
  community_police_officer: ["社区民警", "Community police officer"],
  station: ["派出所", "Station"],
  command_centre: ["指挥中心", "Command centre"],
  emergency_centre: ["110指挥中心", "110 centre"],
  asked: ["值班员指定", "Asked for by the operator"],
};

// Whether somebody could be reached, and if not, why.
export const standings = {
  proven: ["已证实", "proven"],
  unproven: ["近30天未证实", "not proven within 30 days"],
  retired: ["联系方式全部失效", "every contact point expired"],
  none: ["没有联系方式", "no contact point"],
  missing: ["不在名册中", "not in the roster"],
};

// What an operator can do about the escalation of a case, by the name of its path.
export const deeds = {
  widen: { words: ["升级", "Widen now"], sure: ["立即呼叫更多人，不再等待。确定吗？", "More people are called at once. Are you sure?"] },
  pause: { words: ["暂停5分钟", "Pause 5 min"], sure: ["5分钟内不会自动呼叫更多人。确定吗？", "Nobody else is called by itself for 5 minutes. Are you sure?"] },
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

// Whom a step calls, as the one who pressed is told.
export const targets = {
  group: ["联防组", "your group"],
  officers: ["民警", "the police"],
  neighbour_leaders: ["邻组组长", "leaders next door"],
  neighbour_officers: ["邻村辅警", "officers of the next villages"],
  station: ["派出所", "the station"],
  command_centre: ["指挥中心", "the command centre"],
  hand_over: ["110", "110"],
};

// [Chinese, English] of the people whom a step calls newly; null when it calls the same again.
export function targetWords(names) {
  const known = names.filter((name) => name in targets).map((name) => targets[name]);
  return known.length ? [known.map(([zh]) => zh).join("、"), known.map(([, en]) => en).join(", ")] : null;
}

// Why somebody's next channel rang.
export const nextBecauses = {
  failed: ["前面的方式失败", "what rang before failed"],
  not_delivered: ["未送达也未应答", "not delivered, no answer"],
};

export const answers = {
  going: ["前往", "Going"],
  cannot: ["无法前往", "Cannot"],
  on_scene: ["已到场", "On scene"],
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

// The monthly report. Its figures are defined in docs/LATENCY.md.
export const report = {
  link: ["月报", "Report"],
  title: ["联防处置月报", "Monthly report"],
  wholeSite: ["全部辖区", "All areas"],
  month: ["月份", "Month"],
  print: ["打印", "Print"],
  reading: ["正在统计…", "Counting…"],
  noCases: ["本月没有警情", "No case in this month"],
  cases: ["警情", "Cases"],
  open: ["未结", "Still open"],
  cancelled: ["撤销", "Cancelled"],
  falseAlarms: ["误报", "False alarms"],
  drillsLeftOut: ["演练（不计入）", "Drills (left out)"],
  asOf: ["统计时间", "As of"],
  monthBefore: ["比上月", "vs last month"],
  yearBefore: ["比去年", "vs last year"],
  steps: {
    answered: ["30秒内应答", "Answered ≤ 30 s"],
    under_way: ["5分钟内出动", "Under way ≤ 5 min"],
    on_scene: ["限时内到场", "On scene ≤ target"],
    closed: ["30分钟内办结", "Closed ≤ 30 min"],
  },
  intervals: {
    answered: ["接警到首次应答", "Accepted to first answer"],
    under_way: ["接警到出动", "Accepted to under way"],
    on_scene: ["接警到到场", "Accepted to on scene"],
    closed: ["接警到办结", "Accepted to closed"],
  },
  howLong: ["各环节用时", "How long each step took"],
  step: ["环节", "Step"],
  reached: ["件数", "Reached"],
  notDue: ["未到期、无时限或无记录", "Not due, no target, not recorded"],
  backwards: ["时间倒退", "Backwards"],
  trends: ["逐日警情和近12个月达标率", "Cases by day; shares of 12 months"],
  perDay: ["逐日警情", "Cases by day"],
  perMonth: ["近12个月", "the last 12 months"],
  byArea: ["各辖区", "By area"],
  area: ["辖区", "Area"],
  byTarget: ["按见警时限", "By response target"],
  target: ["见警时限", "Target"],
  byKind: ["按类别", "By kind"],
  kind: ["类别", "Kind"],
  sceneMedian: ["到场中位", "Scene p50"],
  scene90: ["到场90分位", "Scene p90"],
  answerMedian: ["应答中位", "Answer p50"],
  hotHours: ["一周内各时段警情", "Cases by hour of the week"],
  weekdays: ["周一", "周二", "周三", "周四", "周五", "周六", "周日"],
  most: ["最多：", "Most:"],
  officers: ["警务人员（被呼叫多者在前）", "Officers, those called most first"],
  groups: ["联防组（被呼叫多者在前）", "Groups, those called most first"],
  notListed: ["个未列出，XLSX 中有全部", "more are not listed here; the XLSX has them all"],
  name: ["名称", "Name"],
  called: ["被呼叫", "Called"],
  answered: ["应答", "Answered"],
  prompt: ["30秒应答率", "≤ 30 s"],
  going: ["前往", "Going"],
  onScene: ["到场", "On scene"],
  notes: [
    ["用时从系统接警起算，取最早一次；一次警情多次按键只算一件。演练不计入。", "Times run from the acceptance of the first press, to whoever was first; more presses are no more cases. Drills are left out."],
    ["没有记录到的环节按未达标计；时限未到就撤销、误报，或尚未到期的，不计入达标率。", "A step that was never recorded is missed, but not one of a case that was called off or a false alarm before its time, or that is not due."],
    ["时钟倒退的用时不计入达标率和分位数，单独列出。分位数按连续插值（percentile_cont）。", "What runs backwards counts in no share and no percentile, and is listed. Percentiles are interpolated (percentile_cont)."],
  ],
};

export const problems = {
  0: ["没有连上服务器", "The server could not be reached"],
  400: ["内容有误", "The request could not be read"],
  401: ["未登录或登录已失效", "You are not signed in"],
  403: ["您无权这样做", "You may not do this"],
  404: ["没有找到", "Not found"],
  409: ["当前无法执行", "Not possible now"],
  413: ["内容过长", "Too long"],
  429: ["操作过于频繁，请稍候", "Too often; wait a moment"],
};

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
  [/^an error of ours/, () => "本系统出错"],
];

// [Chinese, English]; both the same for a reason that is not known here.
export function reasonWords(reason) {
  const [pattern, said] = reasons.find(([known]) => known.test(reason)) ?? [];
  return [pattern ? said(...pattern.exec(reason).slice(1)) : reason, reason];
}

export const nameOf = (table, key) => table[key] ?? [String(key), String(key)];
