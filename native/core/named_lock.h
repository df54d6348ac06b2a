// A named lock: a named segment (segment.h) with an arena of its own, for one lock and those who have it open. In the same
// way a named RLock (a lock), Semaphore, RWLock (monitors) or Event.
//
//   offset            what                                        pages
//   0                 the headers of a named segment              reserved by the creator
//   4 KiB             ArenaHeader, and Slot 0: the lock           reserved and filled in by the creator
//   s × 128 KiB       s = 1 … 511:
//     + 64 KiB - 320    Seat s, if it is a monitor (monitor.h)
//     + 64 KiB - 256    Participant s
//     + 64 KiB - 64     its Token, apart (platform.h)             reserved by the first that becomes participant s
//     + 64 KiB          nothing: who takes the token has private memory here
//
// The file is sparse: a lock that n threads have used takes n + 2 pages. All but the first page begins as zeros, which is
// a free lock nobody has open; so a lock is whole as soon as its first page is, and gets its name after that.
//
// Each JavaScript thread that has the lock open maps it for itself and is a participant here, by a token in this segment.
// Words, owners, waiting and death are those of the tree's arena: lock.h, layout.h.
//
// N1  Whoever can open the file can write anything into it at any time. Nothing read from the segment is used as an address,
//     an index or a length without a bound; nothing that a kernel or libc follows lies in it.
// N2  Damage is noticed, at the latest by the next attempt to get the lock: the first page is no longer what it was, a page
//     is gone (fault guard), or who attempts is no longer in the table. What was damaged meanwhile guards nothing.
// N3  A name may come to mean another lock, by deletion. Who has a lock open keeps that one; a handle carries the id.
// N4  The mapping outlives the participation: leave, then unmap. A token's entry must not lead into nothing.
// Writers  headers: creator, once. The rest as in layout.h and lock.h.
// Death    creator: before it is named, the file goes with its descriptor; after that nothing is left to be done.
//          entrant: between reserving a page and taking the token: a page nobody uses yet; later: see Participant.
//          all: the lock stays, like a file, free or abandoned, until it is deleted or the machine starts anew.
//          deleter: deleting is one system call.
// Other pid namespaces (two containers that share /dev/shm) meet as well: the kernel marks the token of each by its own
// ids. Who the owner is cannot be said there, and its death is not confirmed but given a grace.
#pragma once

#include "core/monitor.h"
#include "core/segment.h"

namespace mp {

inline constexpr uint32_t kNamedLockParticipantMax = 512;
inline constexpr size_t kNamedLockStride = 2 * platform::kApartUnit;
inline constexpr size_t kNamedLockBytes = kNamedLockParticipantMax * kNamedLockStride;
inline constexpr ArenaPlan kNamedLockPlan{
    kPage,
    platform::kApartUnit - sizeof(platform::Token) - sizeof(Participant),
    kNamedLockStride,
    platform::kApartUnit - sizeof(platform::Token),
    kPage + sizeof(ArenaHeader),
    kNamedLockParticipantMax,
    false,
    platform::TokenForm::apart,
    platform::kApartUnit - sizeof(platform::Token) - sizeof(Participant) - sizeof(Seat),
};
static_assert(kPage + sizeof(ArenaHeader) + sizeof(Slot) <= 2 * kPage && 2 * kPage <= kNamedLockStride);
// A participant and its token are in one page, whatever a page's size: one reservation backs both.
static_assert(kNamedLockPlan.participants / kPage == kNamedLockPlan.tokens / kPage);

/// What lies in slot 0 of the arena of a named segment of this kind.
uint32_t named_lock_object(uint32_t named_kind);
/// What a file must have beyond a named segment's check (segment.h): the size of this version, and the same tokens.
NamedCheck named_lock_check(const NamedSegment& header);

}  // namespace mp
