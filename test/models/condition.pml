/*
 * native/core/condition.h for Spin, with what it stands on: the seats, the latch and the bells of monitor.h and bell.h,
 * and what one environment does with its tasks (src/sync/condition-state.ts).
 *
 *   lock      the condition's own: a robust mutex, see lock.pml. Nobody who lives needs to be told of a death
 *   latch     0, or who died with it: all that happens under it is one step here, which may end in the middle by death.
 *             Nobody else reads what it protects; bells and tokens, which others do read, change in the order of the code
 *   seat      waiting, granted, since, ticket, notified, bell, of one environment; `linked`: those in the monitor's list
 *   token     what the kernel and a sweeper have made of an environment's token
 *
 * An environment is its JavaScript thread and its waiter thread in turns. It has TASKS tasks and enters OPERATIONS times with
 * the lock, each time to wait or to notify. Waits end by a notify, by a timeout or an abort that was decided when they
 * began, or not at all. Labels are functions and MP_POINTs.
 *
 * What is checked, by the names of condition.h; a breach prints "broken: <name>, ..." when its trail is replayed:
 *   C1   a notify finds everybody who waits
 *   C2   it rings whom it grants: nobody sleeps with a notify in its seat
 *   C3   a notify that dies with its task is passed on if somebody waits who waited when it was made (lost);
 *        no wait ends with true that no notify was made for, after it began (spurious)
 *   M2   the sum of those who wait is exact when nobody has the latch
 *   M5   nobody sleeps beside a death: all is swept without the ceiling, but for what `excused` says
 *   end  everybody is at home in the end: no notify waits for a waiter, nor for anything else
 *
 * -D: the sizes below; what else happens: TIMEOUTS, ABORTS; ONE_BY_ONE: each notify is for one task. BREAK_*: broken on
 * purpose, and to be found out. scripts/verify/models.mjs says which of them run together.
 */

#ifndef ENVIRONMENTS
#define ENVIRONMENTS 3
#endif
#ifndef TASKS
#define TASKS 1
#endif
#ifndef OPERATIONS
#define OPERATIONS 1
#endif
#ifndef AGAIN
#define AGAIN 0 /* the last environment enters so often more */
#endif
#ifndef NOTIFIES
#define NOTIFIES 2 /* of all environments */
#endif
#ifdef BUSY
#define may_have_two(e) ((e) == BUSY) /* the others have one task */
#else
#define may_have_two(e) true
#endif
#ifndef NOTIFIER
#define NOTIFIER 1 /* this one and those after it may notify */
#endif
#ifndef GIVEN_ON
#define GIVEN_ON ENVIRONMENTS /* at most so many notifies are given on by those who do not want them any more */
#endif
#ifndef KILLS
#define KILLS 0 /* environment 1, then 2: all are alike */
#endif

/* `token`. */
#define ALIVE 0
#define MARKED 1  /* by the kernel */
#define SWEPT 2   /* a sweeper has it: looks alive until everything is given back */
#define NOBODYS 3 /* the sweep is over */
#define is_dead(p) (token[p] == MARKED || token[p] == NOBODYS)

#define only(p) (1 << (p))
#define has(set, p) (((set) & only(p)) != 0)
#define put(set, p) set = (set) | only(p)
#define drop(set, p) set = (set) & ~only(p)

#define SIZE (ENVIRONMENTS + 1)
byte lock, latch;
byte token[SIZE];
byte waiting[SIZE], granted[SIZE], since[SIZE], turn[SIZE], notified[SIZE], bell[SIZE], heard[SIZE];
byte linked;
byte sum; /* Monitor::waiting */
byte next_ticket = 1;

byte on_bell, on_token[SIZE];
byte asleep, roused;
byte deaths;

/* Tasks of environment e: e * TASKS ... */
#define NONE 0
#define WAITS 1
#define RETURNS 2
#define task(e, i) ((e) * TASKS + (i))
#define ALL_TASKS (SIZE * TASKS)
byte state[ALL_TASKS], ticket[ALL_TASKS], ends[ALL_TASKS];
bool told[ALL_TASKS];
#define NEVER 0
#define BY_TIME 1
#define BY_ABORT 2

/* What only the checks look at: notifies are numbered 1 ... in the order in which they are made. */
#define MADE_MOST (NOTIFIES + GIVEN_ON + 2)
byte made_last;
byte made[MADE_MOST];        /* how many were notified by it */
byte began[ALL_TASKS];       /* the last notify before the wait began */
byte ended[MADE_MOST];       /* waits that ended with a notify and began after notify n */
byte unit[SIZE * MADE_MOST]; /* of which notifies a seat's grants are */
/* The ceiling may be needed: somebody parked when another was dead and not swept, or the mark woke one who does not sweep. */
bool excused;
byte notifies = NOTIFIES;

#define HOLDS(condition, text) if :: (condition) :: else -> printf(text); assert(false) fi

#define may_die(e) ((e) == deaths + 1 && deaths < KILLS)
#define killed(e) ((e) != 0 && (e) <= deaths)
#define lock_is_free (lock == 0 || killed(lock))

#if ENVIRONMENTS > 3
#define EACH_SEAT(what) what(1) what(2) what(3) what(4)
#define TOTAL(field) (field(1) + field(2) + field(3) + field(4))
#elif ENVIRONMENTS > 2
#define EACH_SEAT(what) what(1) what(2) what(3)
#define TOTAL(field) (field(1) + field(2) + field(3))
#else
#define EACH_SEAT(what) what(1) what(2)
#define TOTAL(field) (field(1) + field(2))
#endif
#if TASKS > 1
#define EACH_TASK(what) what(0) what(1)
#else
#define EACH_TASK(what) what(0)
#endif
#define counted(s) (has(linked, s) -> waiting[s] : 0)
#define alive_waiting(s) (has(linked, s) && !killed(s) -> waiting[s] : 0)
#define is_marked(s) (token[s] == MARKED -> 1 : 0)

/* ---- For the checks ---- */

#define is_untold(t) (state[t] != NONE && !told[t])
/* `b`: the notify before which the oldest task of seat s began that still waits; unassigned grants are for older ones. */
inline find_eldest(s) {
  b = began[task(s, 0)];
#if TASKS > 1
  if
  :: !is_untold(task(s, 0)) -> b = began[task(s, 1)]
  :: is_untold(task(s, 0)) && is_untold(task(s, 1)) && (ticket[task(s, 0)] < ticket[task(s, 1)]) != (waiting[s] == 2) ->
    b = began[task(s, 1)]
  :: else
  fi
#endif
}
/* Takes one grant from seat s for one who began at `b`: `j` is the first notify after that, else the last there is. */
inline take_unit(s) {
  i = 1; j = 0;
  do
  :: i < MADE_MOST ->
    if
    :: unit[(s) * MADE_MOST + i] > 0 && j <= b -> j = i
    :: else
    fi;
    i++
  :: else -> break
  od;
  i = 0;
  HOLDS(j > 0, "broken: C2, a grant nobody made\n");
  unit[(s) * MADE_MOST + j]--
}
/* Nobody who lives still waits who waited when notify `j` was made. */
#define WAITED_FOR(s)                             \
  if                                              \
  :: alive_waiting(s) > 0 ->                      \
    find_eldest(s);                               \
    HOLDS(b >= j, "broken: C3, a notify is lost\n") \
  :: else                                         \
  fi;
inline check_nobody_waited_for_it() {
  EACH_SEAT(WAITED_FOR)
  b = 0
}
/*
 * A wait that began after notify `b` ends with a notify: there are enough that were made after it began. A seat knows the last
 * notify of its grants and the oldest of its waits, so among several tasks a dead one's may reach one that came later.
 */
inline check_ended() {
  ended[b]++;
  i = MADE_MOST - 1; x = 0;
  do
  :: i > 0 ->
    x = x + made[i]; /* after notify i - 1 */
    i--;
    HOLDS(x >= ended[i] || (TASKS > 1 && deaths > 0), "broken: C3, a wait ended without a notify\n");
    x = (x > ended[i] -> x - ended[i] : 0)
  :: else -> break
  od;
  x = 0
}

/* ---- monitor.cc, condition.cc: under the latch ---- */

inline may_die_here() {
  if
  :: may_die(me) -> goto die
  :: true
  fi
}
/* What is passed on is in two seats for a moment: a death then passes it on twice, which condition.h admits. The one too
   many counts as a notify that everybody waited for. */
inline may_die_granting(from) {
  if
  :: may_die(me) ->
    if
    :: from != 0 -> unit[(from) * MADE_MOST + j]++; made[MADE_MOST - 1]++
    :: else
    fi;
    goto die
  :: true
  fi
}

#define NEXT_IF(s, condition)                                                                                 \
  if                                                                                                          \
  :: has(linked, s) && waiting[s] > 0 && (condition) && (next == 0 || turn[s] < turn[next]) -> next = s       \
  :: else                                                                                                     \
  fi;
#define WAITING(s) NEXT_IF(s, true)
#ifdef BREAK_SINCE
#define ELIGIBLE(s) NEXT_IF(s, true)
#else
#define ELIGIBLE(s) NEXT_IF(s, since[s] < notified[x])
#endif

inline grant(s, stamp, from) {
#ifdef BREAK_STAMP
  notified[s] = stamp;
#else
  notified[s] = (granted[s] > 0 && notified[s] > stamp -> notified[s] : stamp);
#endif
  if
  :: from != 0 -> find_eldest(s); take_unit(from); b = 0
  :: else -> j = made_last; made[j]++
  fi;
  waiting[s]--; granted[s]++;
  unit[(s) * MADE_MOST + j]++;
  may_die_granting(from); /* condition.granted */
  turn[s] = next_ticket; next_ticket++;
  sum--;
  may_die_granting(from);
  bell[s]++; put(rung, s);
  may_die_granting(from) /* monitor.rung */
}

#define forget_task(t) ticket[t] = 0; began[t] = 0; ends[t] = NEVER; told[t] = false
#define FORGET_TASK_OF_X(n) state[task(x, n)] = NONE; forget_task(task(x, n));
#define FORGET_DEAD                                                                                 \
  EACH_TASK(FORGET_TASK_OF_X)                                                                       \
  granted[x] = 0; bell[x] = 0; heard[x] = 0; since[x] = 0; turn[x] = 0; notified[x] = 0;

/* Latched::mourn: environment x. */
inline mourn() {
  if
  :: has(linked, x) ->
    waiting[x] = 0;
    may_die_here();
    do
#ifndef BREAK_MOURN
    :: granted[x] > 0 ->
      next = 0;
      EACH_SEAT(ELIGIBLE)
      if
      :: next == 0 -> break
      :: else
      fi;
      grant(next, notified[x], x);
      granted[x]--;
      j = 0; next = 0
#endif
    :: else -> break
    od;
    next = 0;
    may_die_here(); /* monitor.given_back */
    j = MADE_MOST - 1;
    do
    :: j > 0 && unit[x * MADE_MOST + j] > 0 -> check_nobody_waited_for_it(); unit[x * MADE_MOST + j] = 0
    :: j > 0 && unit[x * MADE_MOST + j] == 0 -> j--
    :: else -> break
    od;
    drop(linked, x);
    FORGET_DEAD
    may_die_here() /* monitor.unlinked */
  :: else
  fi;
#ifndef BREAK_SETTLE
  sum = TOTAL(counted)
#endif
}

/* ---- src/sync/condition-state.ts ---- */

#if TASKS > 1
#define TOTAL_OF_TASKS (state[task(me, 0)] + state[task(me, 1)])
#else
#define TOTAL_OF_TASKS (state[task(me, 0)])
#endif

/* The ticket of the oldest that stays and has not been told. */
#define OLDEST_IF(n)                                                                                   \
  if                                                                                                   \
  :: n != self && is_untold(task(me, n)) && (b == 0 || ticket[task(me, n)] < b) -> b = ticket[task(me, n)] \
  :: else                                                                                              \
  fi;
inline set_since() {
  b = 0;
  EACH_TASK(OLDEST_IF)
  since[me] = b;
  b = 0
}

/* #distribute: the oldest are told, as many as there are grants (`count`) without a task. */
inline tell() {
#if TASKS > 1
  count = count - (told[task(me, 0)] -> 1 : 0) - (told[task(me, 1)] -> 1 : 0);
  do
  :: count > 0 && is_untold(task(me, 0)) && (!is_untold(task(me, 1)) || ticket[task(me, 0)] < ticket[task(me, 1)]) ->
    tell_task(task(me, 0))
  :: count > 0 && is_untold(task(me, 1)) && (!is_untold(task(me, 0)) || ticket[task(me, 1)] < ticket[task(me, 0)]) ->
    tell_task(task(me, 1))
  :: else -> break
  od
#else
  count = count - (told[task(me, 0)] -> 1 : 0);
  if
  :: count > 0 && is_untold(task(me, 0)) -> tell_task(task(me, 0))
  :: else
  fi
#endif
}
inline tell_task(t) { count--; told[t] = true; state[t] = RETURNS }

/* #watch */
#define UNTOLD(n) || is_untold(task(me, n))
inline arm() {
  if
  :: !armed && (false EACH_TASK(UNTOLD)) -> armed = true; expect = heard[me]; heard[me] = 0
  :: else
  fi
}

/* ---- platform.h, bell.cc ---- */

#define LEAVE_TOKEN(s) drop(on_token[s], me);
inline leave_park() {
  drop(asleep, me);
  drop(roused, me);
  drop(on_bell, me);
  EACH_SEAT(LEAVE_TOKEN)
}
/* Whose wait is over does not sweep, though the mark's only wake may have been for it. */
inline end_watch() {
  excused = excused || (has(roused, me) && TOTAL(is_marked) != 0);
  leave_park()
}
/* A dead one's token is not watched. */
#define WATCH(s)                                                       \
  if                                                                   \
  :: s != me && !is_dead(s) -> put(on_token[s], me)                    \
  :: s != me && token[s] == MARKED -> excused = true                   \
  :: else                                                              \
  fi;
inline park_beside_others() {
#ifndef BREAK_WATCH
  EACH_SEAT(WATCH)
#endif
  skip
}
inline unpark_bell(s) {
  if
  :: has(on_bell, s) -> drop(on_bell, s); put(roused, s)
  :: else
  fi
}
inline unpark_one(sleepers) {
  if
  :: has(sleepers, 1) -> drop(sleepers, 1); put(roused, 1)
  :: has(sleepers, 2) -> drop(sleepers, 2); put(roused, 2)
#if ENVIRONMENTS > 2
  :: has(sleepers, 3) -> drop(sleepers, 3); put(roused, 3)
#endif
#if ENVIRONMENTS > 3
  :: has(sleepers, 4) -> drop(sleepers, 4); put(roused, 4)
#endif
  :: sleepers == 0
  fi
}

/* Latched::repair: the dead one may have died between a change of a seat and its bell. */
#define RING(s)                                            \
  if                                                       \
  :: has(linked, s) -> bell[s]++; put(rung, s); may_die_here() \
  :: else                                                  \
  fi;
inline ring_all() {
#ifndef BREAK_REPAIR
  EACH_SEAT(RING)
#endif
  skip
}

/* Only so that states that differ in nothing else are one. */
#define FORGET(s)                                     \
  if                                                  \
  :: waiting[s] == 0 -> since[s] = 0; turn[s] = 0     \
  :: else                                             \
  fi;                                                 \
  if                                                  \
  :: granted[s] == 0 -> notified[s] = 0               \
  :: else                                             \
  fi;
inline forget_what_nobody_reads() { EACH_SEAT(FORGET) skip }

/* What is done under the latch, and where it goes on after that. */
#define ENTER 1
#define LOOK 2
#define DONE 3
#define PASS 4
#define NOTIFY 5
#define SWEEP 6

proctype environment(byte me) {
  byte operations = OPERATIONS + (me == ENVIRONMENTS -> AGAIN : 0);
  byte what, as;       /* which of them; in whose name */
  byte rung;           /* whom to wake when the latch is free */
  byte self = TASKS;   /* the task that runs */
  bool armed;          /* the waiter thread waits for the bell */
  byte expect;         /* BellWait::value */
  byte sweeping;
  byte count;          /* of the notify */
  bool result;
  bool passed;         /* the task's notify was given to the next one */
  byte owed;           /* a notify that this environment has taken and must give to another one */
  byte i, j, b, x, next;

end_home:
  if
  :: atomic { may_die(me) -> goto die }
  :: atomic { operations > 0 && lock_is_free -> operations--; lock = me; goto inside }

#define TIMER(n) :: atomic { state[task(me, n)] == WAITS && ends[task(me, n)] != NEVER -> state[task(me, n)] = RETURNS }
  EACH_TASK(TIMER)
#define RETURN(n) :: atomic { state[task(me, n)] == RETURNS && lock_is_free -> lock = me; self = n; goto returned }
  EACH_TASK(RETURN)

  :: atomic {
      armed && (!has(asleep, me) || has(roused, me)) && bell[me] != expect ->
      end_watch();
      armed = false;
      what = LOOK;
      goto latched
    }
  :: atomic { /* bell_peers, park */
#ifdef BREAK_HEARD
      armed && !has(asleep, me) -> expect = bell[me];
#else
      armed && !has(asleep, me) && bell[me] == expect ->
#endif
      put(asleep, me);
      put(on_bell, me);
      park_beside_others()
    }
  :: atomic { armed && has(asleep, me) && has(roused, me) && bell[me] == expect -> leave_park(); goto bell_sweep }
  fi;
  goto end_home;

  /* With the lock. */
inside:
  if
#define is_next_task(n) (state[task(me, n)] == NONE && (n == 0 || (state[task(me, 0)] != NONE && may_have_two(me))))
#define WAIT(n) :: atomic { is_next_task(n) -> self = n; what = ENTER; goto latched }
  EACH_TASK(WAIT)
  :: atomic {
      notifies > 0 && me >= NOTIFIER -> notifies--;
      if
      :: count = 1
#ifndef ONE_BY_ONE
      :: count = 2
#endif
      fi
    }
    atomic {
      if
      :: sum == 0 ->
        HOLDS(TOTAL(alive_waiting) == 0, "broken: C1, a notify finds nobody\n");
        count = 0;
        goto unlock
      :: else -> what = NOTIFY; goto latched
      fi
    }
  :: atomic { !(notifies > 0 && me >= NOTIFIER) -> goto unlock }
  :: atomic { may_die(me) -> goto die }
  fi;

returned:
  if
  :: atomic { told[task(me, self)] -> goto finish }
  :: atomic { !told[task(me, self)] -> what = LOOK; goto latched }
  :: atomic { may_die(me) -> goto die }
  fi;

  /* Who was notified and does not want it any more gives it to the next one, before it is done. */
finish:
  atomic {
    if
#ifndef BREAK_ABORT
    :: told[task(me, self)] && ends[task(me, self)] == BY_ABORT -> passed = true; count = 1; what = NOTIFY
#endif
    :: !(told[task(me, self)] && ends[task(me, self)] == BY_ABORT) -> what = DONE
#ifdef BREAK_ABORT
    :: told[task(me, self)] && ends[task(me, self)] == BY_ABORT -> what = DONE
#endif
    fi;
    goto latched
  }

unlock:
  atomic {
    if
    :: may_die(me) -> goto die
    :: lock = 0; self = TASKS; what = 0; goto end_home
    fi
  }

  /* One step, unless death ends it in the middle: then `latch` keeps whose it was. */
latched:
  atomic {
    as = (what == SWEEP -> sweeping : me);
    if
    :: latch == 0 || latch == as || is_dead(latch)
    :: may_die(me) -> goto die
    fi;
    x = latch;
    latch = as;
    if
    :: x != 0 -> mourn(); ring_all()
    :: else
    fi;
    x = 0;
    if
    :: what == ENTER ->
      b = next_ticket; next_ticket++;
      if
      :: waiting[me] == 0 -> since[me] = b; turn[me] = b
      :: else
      fi;
#ifndef BREAK_HEARD
      heard[me] = bell[me];
#endif
      may_die_here(); /* condition.ticket_taken */
      waiting[me]++;
      ticket[task(me, self)] = b;
      began[task(me, self)] = made_last;
      state[task(me, self)] = WAITS;
      b = 0;
      may_die_here(); /* condition.entered */
      sum++
    :: what == LOOK ->
      heard[me] = bell[me];
      may_die_here();
      count = granted[me]
    :: what == DONE || what == PASS ->
      result = (told[task(me, self)] || what == PASS -> granted[me] > 0 : waiting[me] > 0);
      if
      :: result && (told[task(me, self)] || what == PASS) ->
        granted[me]--;
        b = began[task(me, self)];
        take_unit(me);
#ifdef BREAK_ABORT
        owed = (what == PASS || ends[task(me, self)] == BY_ABORT -> j : 0);
#endif
        j = 0;
        check_ended();
        b = 0
      :: result && !(told[task(me, self)] || what == PASS) ->
        waiting[me]--
      :: else
      fi;
      if
      :: result -> set_since()
      :: else
      fi;
      state[task(me, self)] = (result || what == PASS -> NONE : RETURNS);
      may_die_here(); /* condition.done */
      if
#ifdef BREAK_LATE
      :: !result -> state[task(me, self)] = NONE; result = true
#endif
      :: result && !(told[task(me, self)] || what == PASS) -> sum--
      :: else
      fi
    :: what == NOTIFY ->
      made_last++;
      assert(made_last < MADE_MOST - 1);
      x = next_ticket; next_ticket++;
      do
      :: count > 0 && sum > 0 ->
        next = 0;
        EACH_SEAT(WAITING)
        if
        :: next == 0 -> break
        :: else
        fi;
        grant(next, x, 0);
        j = 0; count--
      :: else -> break
      od;
      HOLDS(count == 0 || TOTAL(alive_waiting) == 0, "broken: C1, a notify finds nobody\n");
      x = 0; count = 0; next = 0
    :: what == SWEEP ->
      x = sweeping;
      mourn();
      x = 0
    fi;
    forget_what_nobody_reads();
    latch = 0; as = 0;
    HOLDS(sum == TOTAL(counted), "broken: M2, the sum of those who wait is wrong\n")
  }

monitor_left:
  do
  :: rung == 0 -> break
  :: atomic { may_die(me) -> goto die }
#define WAKE(s) :: atomic { has(rung, s) -> drop(rung, s); unpark_bell(s) }
  EACH_SEAT(WAKE)
  od;

  atomic {
    if
    :: what == ENTER ->
      ends[task(me, self)] = NEVER;
#ifdef TIMEOUTS
      if
      :: ends[task(me, self)] = BY_TIME
      :: true
      fi;
#endif
#ifdef ABORTS
      if
      :: ends[task(me, self)] = BY_ABORT
      :: true
      fi;
#endif
      arm();
      goto unlock
    :: what == LOOK ->
      tell();
      count = 0;
      if
      :: self < TASKS -> goto finish
      :: else -> arm(); what = 0; goto end_home
      fi
#ifdef BREAK_ABORT
    :: what == DONE && !result -> what = PASS; goto latched
#else
    :: what == DONE && !result -> passed = true; count = 1; what = NOTIFY; goto latched
    :: what == NOTIFY && passed -> what = (told[task(me, self)] -> DONE : PASS); goto latched
#endif
    :: (what == DONE && result) || what == PASS ->
      forget_task(task(me, self));
      result = false; passed = false;
      if
      :: TOTAL_OF_TASKS == 0 -> armed = false; expect = 0; end_watch()
      :: else
      fi;
      if
      :: owed != 0 -> count = 1; what = NOTIFY; goto latched
      :: else -> goto unlock
      fi
    :: what == NOTIFY && !passed -> owed = 0; goto unlock
    :: what == SWEEP -> token[sweeping] = NOBODYS
    fi
  }
  if
  :: atomic { roused = roused | on_token[sweeping]; on_token[sweeping] = 0; sweeping = 0 }
  :: atomic { may_die(me) -> goto die }
  fi;

bell_sweep:
  atomic {
    if
#define SWEEP_IT(s) :: s != me && token[s] == MARKED -> token[s] = SWEPT; sweeping = s; what = SWEEP; goto latched
    EACH_SEAT(SWEEP_IT)
    :: may_die(me) -> goto die
    :: TOTAL(is_marked) == 0 || (TOTAL(is_marked) == 1 && token[me] == MARKED) -> what = 0; goto end_home
    fi
  }

die:
  atomic {
    deaths++;
    leave_park();
    token[me] = MARKED;
    unpark_one(on_token[me]);
    if
    :: sweeping != 0 && token[sweeping] == SWEPT -> token[sweeping] = MARKED; unpark_one(on_token[sweeping])
    :: else
    fi;
    if
    :: owed != 0 -> j = owed; check_nobody_waited_for_it()
    :: else
    fi;
    operations = 0; what = 0; as = 0; rung = 0; self = 0; armed = false; expect = 0; sweeping = 0; count = 0;
    result = false; passed = false; owed = 0; i = 0; j = 0; b = 0; x = 0; next = 0
  }
}

/* Looks when nothing else can happen. */
#define left_over(s) (has(linked, s) && !killed(s) -> granted[s] : 0)
proctype quiet() {
  do
  :: atomic {
      timeout && TOTAL(is_marked) != 0 && asleep != 0 ->
      HOLDS(excused, "broken: M5, somebody sleeps beside a death\n");
      excused = false;
      roused = asleep
    }
  :: atomic {
      timeout && !(TOTAL(is_marked) != 0 && asleep != 0) ->
      HOLDS(TOTAL(left_over) == 0, "broken: C2, a notify stays in its seat\n");
      HOLDS(latch == 0 || killed(latch), "broken: end, the latch is held\n");
      HOLDS(lock_is_free, "broken: end, the lock is held\n");
      break
    }
  od
}

init {
  atomic {
    linked = (1 << SIZE) - 2;
    run quiet();
#define RUN(s) run environment(s);
    EACH_SEAT(RUN)
  }
}
