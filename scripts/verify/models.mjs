/**
 * What `npm run verify` searches. `defines` are the models' -D names, explained at their top.
 *
 *   cases    must have no breach, in every state there is. `deep`: that takes long
 *   broken   the same algorithm with one step wrong: a breach of that name must be found, or the check is blind
 */
const lockBusy = ['PARTICIPANTS=3', 'STARVE', 'WITHDRAW', 'ABANDON'];
const conditionBusy = ['ENVIRONMENTS=3', 'AGAIN=1', 'NOTIFIES=1', 'TIMEOUTS', 'KILLS=1'];
/** Environment 2 waits twice at the same time, 3 notifies, waits and notifies again. */
const conditionStairs = [
  'ENVIRONMENTS=3',
  'TASKS=2',
  'BUSY=2',
  'OPERATIONS=me',
  'NOTIFIER=3',
  'ONE_BY_ONE',
  'KILLS=2',
];

export const models = [
  {
    name: 'lock',
    cases: [
      { title: 'three contend, starve, give up, abandon', defines: lockBusy },
      { title: 'the same, and one dies', defines: [...lockBusy, 'KILLS=1'], deep: true },
      {
        title: 'three starve and give up, and two die',
        defines: ['PARTICIPANTS=3', 'STARVE', 'WITHDRAW', 'KILLS=2'],
        deep: true,
      },
      {
        title: 'three starve, one of them comes twice, one dies',
        defines: ['PARTICIPANTS=3', 'AGAIN=1', 'STARVE', 'KILLS=1'],
        deep: true,
      },
      {
        title: 'three give up, each comes twice, one dies',
        defines: ['PARTICIPANTS=3', 'ATTEMPTS=2', 'WITHDRAW', 'KILLS=1'],
      },
      { title: 'four contend, one dies', defines: ['PARTICIPANTS=4', 'KILLS=1'], deep: true },
      {
        title: 'two do everything twice, and both die',
        defines: ['PARTICIPANTS=2', 'ATTEMPTS=2', 'STARVE', 'WITHDRAW', 'ABANDON', 'KILLS=2'],
      },
      {
        title: 'two do everything twice, one dies and is swept, and the sweeper dies',
        defines: ['PARTICIPANTS=2', 'ATTEMPTS=2', 'STARVE', 'WITHDRAW', 'ABANDON', 'KILLS=1', 'SWEEP'],
        deep: true,
      },
      {
        title: 'three contend, one dies and is swept, and the sweeper dies',
        defines: ['PARTICIPANTS=3', 'KILLS=1', 'SWEEP'],
        deep: true,
      },
      {
        title: 'three starve and give up, one dies and wakes nobody',
        defines: ['PARTICIPANTS=3', 'STARVE', 'WITHDRAW', 'KILLS=1', 'POLLED'],
      },
      {
        title: 'three starve, release what others hold, one comes twice, one dies',
        defines: ['PARTICIPANTS=3', 'AGAIN=1', 'STARVE', 'FORCED', 'KILLS=1'],
        deep: true,
      },
    ],
    broken: [
      { title: 'a release keeps `waiters`', breach: 'word', defines: [...lockBusy, 'BREAK_CLEAR'] },
      { title: 'a release wakes nobody', breach: 'L1', defines: [...lockBusy, 'BREAK_WAKE'] },
      {
        title: 'who takes the lock forgets that others sleep',
        breach: 'L1',
        defines: [...lockBusy, 'BREAK_TAKE'],
      },
      {
        title: 'who gives up keeps the wake it got',
        breach: 'ceiling',
        defines: [...lockBusy, 'BREAK_PASS_ON'],
      },
      {
        title: 'a hand-over writes the word before the claim',
        breach: 'L4',
        defines: [...lockBusy, 'BREAK_HAND_OVER'],
      },
      { title: 'a hand-over does not wake', breach: 'ceiling', defines: [...lockBusy, 'BREAK_DELIVERY'] },
      {
        title: 'who gives up does not look whether it is handed to',
        breach: 'L4',
        defines: [...lockBusy, 'BREAK_WITHDRAW'],
      },
      {
        title: 'who takes the lock keeps its claim',
        breach: 'L6',
        defines: [...lockBusy, 'BREAK_DROP_CLAIM'],
      },
      { title: 'an abandoned lock looks free', breach: 'told', defines: [...lockBusy, 'BREAK_ABANDON'] },
      {
        title: 'who has waited long takes the lock over',
        breach: 'L3',
        defines: [...lockBusy, 'BREAK_PATIENCE'],
      },
      {
        title: 'nobody watches the owner',
        breach: 'ceiling',
        defines: [...lockBusy, 'KILLS=1', 'BREAK_WATCH'],
      },
      { title: 'there is no ceiling', breach: 'ceiling', defines: [...lockBusy, 'KILLS=1', 'BREAK_CEILING'] },
      {
        title: 'who takes over forgets that others sleep',
        breach: 'L1',
        defines: ['PARTICIPANTS=3', 'AGAIN=1', 'STARVE', 'KILLS=1', 'BREAK_TAKE_OVER'],
        deep: true,
      },
      {
        title: 'who releases for another hands over',
        breach: 'L6',
        defines: ['PARTICIPANTS=3', 'AGAIN=1', 'STARVE', 'FORCED', 'BREAK_BEHALF'],
      },
    ],
  },
  {
    name: 'condition',
    cases: [
      { title: 'three wait or notify, twice each', defines: ['ENVIRONMENTS=3', 'OPERATIONS=2'] },
      {
        title: 'three, with timeouts and aborts, and two die',
        defines: ['ENVIRONMENTS=3', 'TIMEOUTS', 'ABORTS', 'KILLS=2'],
        deep: true,
      },
      { title: 'three, with timeouts, one twice, and one dies', defines: conditionBusy, deep: true },
      { title: 'four, and one dies', defines: ['ENVIRONMENTS=4', 'KILLS=1'] },
      {
        title: 'two of two tasks each, with timeouts and aborts, and one dies',
        defines: ['ENVIRONMENTS=2', 'TASKS=2', 'OPERATIONS=2', 'GIVEN_ON=4', 'TIMEOUTS', 'ABORTS', 'KILLS=1'],
        deep: true,
      },
      { title: 'three, one of two tasks, and two die', defines: conditionStairs, deep: true },
    ],
    broken: [
      {
        title: 'the bell is looked at when it is too late',
        breach: 'C2',
        defines: [...conditionBusy, 'BREAK_HEARD'],
      },
      { title: 'a late notify is not looked for', breach: 'C2', defines: [...conditionBusy, 'BREAK_LATE'] },
      {
        title: "a dead one's notifies are dropped",
        breach: 'C3',
        defines: [...conditionBusy, 'BREAK_MOURN'],
      },
      {
        title: "a dead one's notifies go to anybody",
        breach: 'C3',
        defines: [...conditionBusy, 'BREAK_SINCE'],
      },
      {
        title: 'nobody counts again after a death',
        breach: 'M2',
        defines: [...conditionBusy, 'BREAK_SETTLE'],
      },
      { title: 'nobody watches the others', breach: 'M5', defines: [...conditionBusy, 'BREAK_WATCH'] },
      {
        title: 'who takes a latch over rings nobody',
        breach: 'C2',
        defines: [...conditionBusy, 'BREAK_REPAIR'],
      },
      {
        title: 'who does not want its notify is done before it gives it on',
        breach: 'C3',
        defines: ['ENVIRONMENTS=3', 'ABORTS', 'KILLS=1', 'BREAK_ABORT'],
      },
      {
        title: 'an older notify that is passed on replaces a newer one',
        breach: 'C3',
        defines: [...conditionStairs, 'BREAK_STAMP'],
        deep: true,
      },
    ],
  },
];
