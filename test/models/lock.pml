/*
 * native/core/lock.h and lock.cc for Spin: a few participants, each dying wherever it likes, in every order of their steps.
 *
 *   word      owner | WAITERS | STARVING       claim     0, id, or HANDING | id
 *   token     what the kernel and a sweeper have made of a participant's token
 *   on_*      who is queued on a word, as a set. A park queues on up to three words at once; an unpark takes its sleeper
 *             out of one queue only, so until that sleeper runs another unpark may be spent on it as well
 *
 * One shared access of lock.cc is one step here. Labels are its functions and MP_POINTs ("lock.taken" is lock_taken).
 * Merged are a load and the compare-and-swap it feeds where nobody could tell, and the checks of a park. Memory is as
 * with memory_order_seq_cst; weaker orders are ThreadSanitizer's (npm run test:tsan).
 *
 * Time    1 ms (starving), a deadline, a signal: may come at any step, or never. A sleep that nothing but an unpark will end
 *         is always tried, too: no timer hides a lost wake.
 *         250 ms (a park's ceiling): comes when nothing else can happen, and a death must excuse it.
 * Death   a participant stops between any two steps, and at once the kernel marks its token and wakes one watcher of it.
 *
 * What is checked, by the names of lock.h; a breach prints "broken: <name>, ..." when its trail is replayed:
 *   exclusion  two owners that live are never both inside
 *   told       the next owner is told of a death or an abandonment, and of nothing else
 *   word       a free word has no bits, an abandoned one has no STARVING, STARVING implies WAITERS
 *   L1         a sleeper has WAITERS, or somebody on the way who will wake one or set the bit again, or the ceiling
 *   L3         only the owner, or who found it dead, changes the owner of a held lock
 *   L4         who has left is not handed to
 *   L6         who is handed the lock waits for it, or has it, or is dead; nobody's claim outlives its attempt
 *   ceiling    nobody needs it unless a death excuses that (see `death`), and then it helps
 *   end        everybody ends; then the lock is free or its owner dead, and no living one's claim is left
 *
 * -D: PARTICIPANTS (2 to 4), ATTEMPTS of each (AGAIN: so many more of participant 2), KILLS (of participant 1, then 2: all
 * are alike); what else happens: STARVE, WITHDRAW, ABANDON, FORCED (others release what one holds: nothing is exclusive
 * then), SWEEP, POLLED (deaths wake nobody). BREAK_*: broken on purpose, and to be found out. scripts/verify/models.mjs says
 * which of them run together.
 */

#ifndef PARTICIPANTS
#define PARTICIPANTS 3
#endif
#ifndef ATTEMPTS
#define ATTEMPTS 1
#endif
#ifndef AGAIN
#define AGAIN 0
#endif
#ifndef KILLS
#define KILLS 0
#endif

/* `word`: the owner is 0 (nobody), a participant, or ABANDONED. */
#define ABANDONED 7
#define WAITERS 8
#define STARVING 16
#define owner_of(w) ((w) & 7)
#define is_free(w) (owner_of(w) == 0 || owner_of(w) == ABANDONED)
/* `claim`. Its owner is who claims, or who hands over. */
#define HANDING 8

/* `token`. */
#define ALIVE 0
#define MARKED 1  /* by the kernel */
#define SWEPT 2   /* a sweeper has it: looks alive until everything is given back */
#define NOBODYS 3 /* the sweep is over */
#define is_dead(p, t) ((t) == MARKED || (t) == NOBODYS || has(ended, p))

/* Bits of their own in the sets below: a sweeper that may die, and one that does not. */
#define SWEEPER 5

#define only(p) (1 << (p))
#define has(set, p) (((set) & only(p)) != 0)
#define put(set, p) set = (set) | only(p)
#define drop(set, p) set = (set) & ~only(p)

byte word, claim, token[PARTICIPANTS + 1];
byte on_word, on_claim, on_token[PARTICIPANTS + 1];
byte asleep;  /* inside park */
byte roused;  /* of these: to run again */
byte parked;  /* Contender::parked */
byte ended;   /* whose generation is over */
byte killed;

/* What only the checks look at. */
byte waits;                     /* in an attempt */
byte inside;                    /* who is in the critical section, or died there; 0: nobody */
bool owed;                      /* the next owner is to be told */
byte beside[PARTICIPANTS + 1];  /* who went to sleep while this one was the owner */
byte waking;                    /* has cleared the word, has yet to wake */
byte delivering;                /* has handed over, has yet to wake */
byte handing_to;
bool excused;                   /* somebody died in a way that may cost the sleepers the ceiling */
bool ticked;                    /* the ceiling has come, and nobody has got the lock since */
byte sweeping;                  /* who sweeps */
byte gone;                      /* how many are through or dead */

#define sleepers (asleep & ~roused)
#define HOLDS(condition, text) if :: (condition) :: else -> printf(text); assert(false) fi

/* ---- platform.h ---- */

#define WAKE(queue, p) has(queue, p) -> drop(queue, p); put(roused, p)
inline unpark_one(queue) {
  if
  :: WAKE(queue, 1)
  :: WAKE(queue, 2)
#if PARTICIPANTS > 2
  :: WAKE(queue, 3)
#endif
#if PARTICIPANTS > 3
  :: WAKE(queue, 4)
#endif
  :: queue == 0
  fi
}
inline unpark_all(queue) {
  roused = roused | queue;
  queue = 0
}
inline forget_sleep(p, owner) {
  drop(on_word, p);
  drop(on_claim, p);
  drop(on_token[owner], p);
  drop(beside[owner], p);
  drop(asleep, p);
  drop(roused, p)
}

/* ---- lock.cc ---- */

/* Whether `p` is dead, from its token into `t`. The token is read before the state. */
#ifdef SWEEP
#define owner_dead(p) t = token[p]; atomic { if :: is_dead(p, t) -> t = MARKED :: else fi }
#else
#define owner_dead(p) t = token[p]
#endif

inline acquired() {
#ifndef FORCED
  HOLDS(inside == 0 || has(killed, inside), "broken: exclusion, two owners\n");
  HOLDS(told || !owed, "broken: told, not of a death\n");
  HOLDS(owed || !told, "broken: told, of a death that was none\n");
#endif
  owed = false;
  inside = me;
  ticked = false;
  drop(parked, me);
  drop(waits, me)
}

proctype participant(byte me) {
  byte w;      /* the word as last seen */
  byte c;      /* the claim as last seen */
  byte t;      /* a token as last seen */
  byte owner;  /* lock_release: on whose behalf */
  bool claimed, starving, told;
  byte attempts = ATTEMPTS + (me == 2 -> AGAIN : 0);
  {
    true;
again:
    atomic {
      w = 0; c = 0; t = 0; owner = 0; claimed = false; starving = false; told = false;
      if
      :: attempts > 0 -> attempts--; put(waits, me)
#ifdef FORCED
      :: attempts > 0 -> attempts--; goto release_any
#endif
      :: attempts == 0 -> goto through
      fi
    }

lock_step:
    atomic {
      w = word; c = 0; t = 0;
      if
      :: owner_of(w) == me -> acquired(); goto drop_claim /* handed over to us */
      :: owner_of(w) != me && is_free(w) -> goto take
      :: else
      fi
    }
    owner_dead(owner_of(w));
    if
#ifdef BREAK_PATIENCE
    :: true -> goto take_over
#endif
    :: t == MARKED || t == NOBODYS -> goto take_over
    :: else
    fi;
#ifdef STARVE
    atomic {
      if
      :: starving = true
      :: true
      fi;
      if
      :: starving -> goto claim_handover
      :: else
      fi
    }
#endif
set_bits:
    atomic {
      c = WAITERS | (claimed -> STARVING : 0);
      if
      :: (w & c) == c -> c = 0
      :: (w & c) != c && word == w -> word = w | c; w = word; c = 0
      :: else -> goto lock_step
      fi
    }
lock_about_to_park:
    atomic {
      put(parked, me);
      if
      :: claimed ->
        c = claim;
        if
        :: c != me && !(c & HANDING) -> goto lock_step /* delivered, or void: the word tells */
        :: else
        fi
      :: else
      fi
    }
    if
    :: goto park
#ifdef WITHDRAW
    :: goto lock_withdraw
#endif
    fi;
park:
    atomic {
      if
      :: word == w && (!claimed || claim == c) && token[owner_of(w)] == t
      :: else -> goto lock_step
      fi;
      put(on_word, me);
      if
      :: claimed -> put(on_claim, me)
      :: else
      fi;
#ifndef BREAK_WATCH
      put(on_token[owner_of(w)], me);
#endif
      put(beside[owner_of(w)], me);
      put(asleep, me);
      if
      :: goto sleep
      :: true
      fi
    }
    true; /* a timer ends this sleep, or an unpark before it */
    goto awake;
sleep:
    has(roused, me);
awake:
    atomic {
      forget_sleep(me, owner_of(w));
      if
      :: goto lock_step
#ifdef WITHDRAW
      :: goto lock_withdraw
#endif
      fi
    }

take:
    atomic {
      if
      :: word == w ->
#ifdef BREAK_TAKE
        word = me | (w & WAITERS);
#else
        word = me | (w & WAITERS) | (has(parked, me) -> WAITERS : 0);
#endif
        told = (owner_of(w) == ABANDONED);
        acquired()
      :: else -> goto lock_step
      fi
    }
lock_taken:
drop_claim:
    atomic {
      if
#ifndef BREAK_DROP_CLAIM
      :: claimed && claim == me -> claim = 0
#endif
      :: else
      fi;
      claimed = false; w = 0; c = 0; t = 0; starving = false;
      HOLDS(claim != me, "broken: L6, a claim outlives its attempt\n");
      goto inside_it
    }

take_over:
    atomic { unpark_all(on_token[owner_of(w)]) }
lock_death_confirmed:
    atomic {
      if
      :: word == w ->
        HOLDS(has(killed, owner_of(w)), "broken: L3, taken over from a living owner\n");
#ifdef BREAK_TAKE_OVER
        word = me;
#else
        word = me | WAITERS;
#endif
        told = true;
        acquired();
        goto lock_taken
      :: else -> goto lock_step
      fi
    }

claim_handover:
    atomic {
      if
      :: claim == 0 -> claim = me
      :: else
      fi;
      c = claim
    }
lock_claimed:
    atomic {
      if
      :: c == me -> claimed = true
      :: c != me && is_dead(owner_of(c), token[owner_of(c)]) ->
        if
        :: claim == c -> claim = 0
        :: else
        fi;
        goto claim_handover
      :: else -> claimed = claimed && (c & HANDING) /* else it was consumed by a releaser that never delivered */
      fi;
      c = 0;
      goto set_bits
    }

lock_withdraw:
    atomic {
      w = 0; t = 0;
      c = claim;
      if
#ifdef BREAK_WITHDRAW
      :: c != me -> goto left
#else
      :: !claimed || (c != me && !(c & HANDING)) -> goto left
#endif
      :: else
      fi
    }
    atomic {
      if
      :: c == me && claim == me -> claim = 0; goto left
      :: c == me && claim != me -> goto lock_withdraw
      :: c != me && owner_of(word) == me -> goto left
      :: else
      fi
    }
    atomic { /* reset_dead_claim, yield until something has changed */
      is_dead(owner_of(c), token[owner_of(c)]) || claim != c || owner_of(word) == me;
      if
      :: claim == c && is_dead(owner_of(c), token[owner_of(c)]) -> claim = 0
      :: else
      fi;
      goto lock_withdraw
    }
left:
    atomic {
      claimed = false; c = 0; starving = false;
      if
      :: owner_of(word) == me -> acquired(); goto drop_claim /* too late: it is ours */
      :: else
      fi;
      drop(waits, me);
      HOLDS(handing_to != me, "broken: L4, left without knowing of a hand-over\n");
      HOLDS(claim != me, "broken: L6, a claim outlives its attempt\n");
      if
#ifdef BREAK_PASS_ON
      :: drop(parked, me); goto again
#else
      :: !has(parked, me) -> goto again
      :: else
#endif
      fi
    }
pass_on:
    atomic {
      w = word;
      if
      :: is_free(w) -> goto wake_another
      :: else
      fi
    }
    owner_dead(owner_of(w));
    atomic {
      if
      :: t == MARKED || t == NOBODYS -> goto wake_another
      :: else
      fi;
      if
      :: w & WAITERS
      :: !(w & WAITERS) && word == w -> word = w | WAITERS
      :: else -> goto pass_on
      fi;
      drop(parked, me);
      goto again
    }
wake_another:
    atomic {
      unpark_one(on_word);
      drop(parked, me);
      goto again
    }

inside_it:
    atomic {
#ifndef FORCED
      HOLDS(inside == me, "broken: exclusion, somebody else came in\n");
#endif
      inside = 0;
      owner = me;
      told = false;
#ifdef ABANDON
      if
      :: goto lock_abandon
      :: true
      fi
#endif
    }
lock_release:
    atomic {
      w = word; c = 0; t = 0;
      if
      :: owner_of(w) != owner ->
#ifndef FORCED
        HOLDS(false, "broken: L3, somebody else changed the owner\n");
#endif
        goto again
#ifdef BREAK_BEHALF
      :: owner_of(w) == owner && (w & STARVING) -> goto hand_over
#else
      :: owner_of(w) == owner && (w & STARVING) && owner == me -> goto hand_over
#endif
      :: else
      fi
    }
clear:
    atomic {
      if
#ifdef BREAK_CLEAR
      :: word == w -> word = w & WAITERS
#else
      :: word == w -> word = 0
#endif
      :: else -> goto lock_release
      fi;
#ifdef BREAK_WAKE
      goto again;
#endif
      if
      :: w & WAITERS -> put(waking, me)
      :: else -> goto again
      fi
    }
lock_cleared:
    atomic {
      unpark_one(on_word);
      drop(waking, me);
      goto again
    }

hand_over:
    atomic {
      c = claim;
      if
      :: c == 0 -> goto clear
      :: else
      fi
    }
    atomic {
      if
      :: is_dead(owner_of(c), token[owner_of(c)]) ->
        if
        :: claim == c -> claim = 0
        :: else
        fi;
        c = 0;
        goto clear
      :: else
      fi;
      if
      :: c & HANDING -> c = 0; goto clear
      :: else
      fi
    }
    atomic {
#ifdef BREAK_HAND_OVER
      handing_to = c;
      goto lock_handing;
#endif
      if
      :: claim == c -> claim = HANDING | me; handing_to = c
      :: else -> c = 0; goto clear
      fi
    }
lock_handing:
    atomic {
      w = word;
      if
      :: owner_of(w) != owner -> goto void
      :: else
      fi
    }
    atomic {
      if
      :: word == w ->
        HOLDS(has(waits, c) || has(killed, c) || c == owner, "broken: L6, handed to one who does not wait\n");
        word = c | WAITERS;
        owed = has(killed, c);
        excused = excused || (has(killed, c) && sleepers != 0);
        handing_to = 0;
        put(delivering, me)
      :: else -> goto lock_handing
      fi
    }
lock_handed:
    atomic {
      if
#ifdef BREAK_HAND_OVER
      :: claim == c -> claim = 0
#endif
      :: claim == (HANDING | me) -> claim = 0
      :: else
      fi
    }
    atomic {
#ifndef BREAK_DELIVERY
      unpark_all(on_claim);
#endif
      drop(delivering, me);
      goto again
    }
void:
    atomic {
#ifndef FORCED
      HOLDS(false, "broken: L3, somebody else changed the owner\n");
#endif
      handing_to = 0;
      if
      :: claim == (HANDING | me) -> claim = 0
      :: else
      fi
    }
    atomic {
      unpark_all(on_claim);
      c = 0;
      goto lock_release
    }

#ifdef ABANDON
lock_abandon:
    atomic {
      w = word;
      HOLDS(owner_of(w) == me, "broken: L3, somebody else changed the owner\n")
    }
    atomic {
      if
#ifdef BREAK_ABANDON
      :: word == w -> word = 0; owed = true
#else
      :: word == w -> word = ABANDONED | (w & WAITERS); owed = true
#endif
      :: else -> goto lock_abandon
      fi;
      if
      :: w & WAITERS -> put(waking, me)
      :: else -> goto again
      fi
    }
lock_abandoned:
    atomic {
      unpark_one(on_word);
      drop(waking, me);
      goto again
    }
#endif

#ifdef FORCED
release_any:
    atomic {
      owner = owner_of(word);
      if
      :: owner == 0 || owner == me || is_dead(owner, token[owner]) -> goto again
      :: else
      fi;
      goto lock_release
    }
#endif

through:
    gone++
  } unless { has(killed, me) }
}

/* ---- participants.cc: sweep, of participant 1 ---- */

#ifdef SWEEP
proctype sweeper(byte me) {
  byte w;
  {
    true;
    atomic { token[1] = SWEPT; sweeping = me }
sweep_token_taken:
    if
    :: has(ended, 1) -> goto give_token_back
    :: else
    fi;
lock_abandon:
    atomic {
      w = word;
      if
      :: owner_of(w) != 1 -> goto given_back
      :: else
      fi
    }
    atomic {
      if
      :: word == w -> word = ABANDONED | (w & WAITERS)
      :: else -> goto lock_abandon
      fi;
      if
      :: w & WAITERS -> put(waking, me)
      :: else -> goto given_back
      fi
    }
lock_abandoned:
    atomic { unpark_one(on_word); drop(waking, me) }
given_back:
    atomic { w = 0; put(ended, 1) }
give_token_back:
    atomic { token[1] = NOBODYS; sweeping = 0 }
    atomic { unpark_all(on_token[1]) }
  } unless { has(killed, me) }
}
#endif

/* ---- Death and time ---- */

#define may_die(p) !has(killed, p) && (has(waits, p) || owner_of(word) == p || has(waking | delivering | parked, p))

/*
 * The ceiling is excused if somebody sleeps and the one that dies
 *   was awake after a sleep: the wake it got is lost;
 *   was the owner, or had cleared the word and not yet woken, and all who sleep slept through its becoming the owner (L5);
 *   is handed the lock when it is dead already: the others sleep beside the one that hands it over;
 *   had handed the lock over and not yet woken its grantee, and the mark may wake another one.
 * Whoever sleeps beside an owner watches its token: the mark makes up for every other lost wake.
 */
#define slept_through(p) ((sleepers & beside[p]) == 0)
inline die(p) {
  if
  :: sleepers & ~only(p) ->
    excused = excused || (has(parked, p) && !has(sleepers, p) && owner_of(word) != p) ||
              ((owner_of(word) == p || has(waking, p)) && slept_through(p)) ||
              (has(delivering, p) && has(sleepers, owner_of(word)) && beside[p] != only(owner_of(word)))
  :: else
  fi;
  if
  :: owner_of(word) == p -> owed = true
  :: else
  fi;
  put(killed, p);
  token[p] = MARKED;
  gone++;
  drop(on_word, p);
  drop(on_claim, p);
  i = 0;
  do
  :: i <= PARTICIPANTS -> drop(on_token[i], p); drop(beside[i], p); i++
  :: else -> break
  od;
  i = 0;
  drop(asleep, p);
  drop(roused, p);
  drop(parked, p);
  drop(waits, p);
  drop(waking, p);
  drop(delivering, p);
  if
  :: claim == (HANDING | p) -> handing_to = 0
  :: else
  fi;
  ticked = false;
#ifdef POLLED
  excused = true
#else
  unpark_one(on_token[p])
#endif
}

#ifdef SWEEP
inline die_sweeping() {
  excused = excused || (sleepers && (owner_of(word) == 1 || has(waking, SWEEPER)) && slept_through(1));
  put(killed, SWEEPER);
  drop(waking, SWEEPER);
  sweeping = 0;
  token[1] = MARKED;
  ticked = false;
  unpark_one(on_token[1])
}
#endif

proctype death() {
  byte i;
#if KILLS > 0
  if
  :: atomic { may_die(1) -> die(1) }
  :: goto enough
  fi;
#endif
#if KILLS > 1
  if
  :: atomic { may_die(2) -> die(2) }
  :: true
  fi;
#endif
#ifdef SWEEP
  run sweeper(SWEEPER);
  if
  :: atomic { sweeping == SWEEPER -> die_sweeping() }
  :: goto enough
  fi;
  run sweeper(SWEEPER + 1);
#endif
enough:
  true
}

/* Looks when nothing else can happen. */
proctype ceiling() {
  do
  :: atomic {
      timeout && sleepers != 0 ->
#ifdef BREAK_CEILING
      excused = false;
#endif
      HOLDS(excused, "broken: ceiling, a wake was lost\n");
      HOLDS(!ticked, "broken: ceiling, it does not help\n");
      excused = false;
      ticked = true;
      roused = roused | sleepers
    }
  :: atomic {
      timeout && sleepers == 0 ->
      HOLDS(gone == PARTICIPANTS, "broken: end, somebody is stuck\n");
      HOLDS(word == 0 || owner_of(word) == ABANDONED || has(killed, owner_of(word)), "broken: end, the lock is held\n");
      HOLDS(claim == 0 || has(killed, owner_of(claim)), "broken: end, a claim is left behind\n");
      break
    }
  od
}

/* Looks after each step. */
proctype monitor() {
end:
  if
  :: atomic { (word & STARVING) && !(word & WAITERS) -> printf("broken: word, starving without waiters\n"); assert(false) }
  :: atomic { word != 0 && owner_of(word) == 0 -> printf("broken: word, a free word with bits\n"); assert(false) }
  :: atomic { is_free(word) && (word & STARVING) -> printf("broken: word, abandoned and starving\n"); assert(false) }
  :: atomic {
      sleepers != 0 && !(word & WAITERS) && (parked & ~sleepers) == 0 && waking == 0 && !excused ->
      printf("broken: L1, a sleeper nobody will wake\n");
      assert(false)
    }
  fi
}

init {
  atomic {
    run ceiling();
    run monitor();
    run participant(1);
    run participant(2);
#if PARTICIPANTS > 2
    run participant(3);
#endif
#if PARTICIPANTS > 3
    run participant(4);
#endif
    run death()
  }
}
