// What a glibc build of libstdc++ and Node wants and musl lacks: just enough to test the addon on musl. Not for users.
#define _GNU_SOURCE
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <locale.h>
#include <link.h>
#include <sys/random.h>
char __libc_single_threaded = 0;
size_t strftime_l(char*, size_t, const char*, const struct tm*, locale_t);
size_t __strftime_l(char*b, size_t n, const char*f, const struct tm*t, locale_t l){ return strftime_l(b,n,f,t,l); }
unsigned long __isoc23_strtoul(const char*s,char**e,int b){ return strtoul(s,e,b); }
unsigned arc4random(void){ unsigned x; getrandom(&x,sizeof x,0); return x; }
int strfromf128(char*b,size_t n,const char*f,...){ if(n)*b=0; return 0; }
__float128 strtof128(const char*s,char**e){ return (__float128)strtold(s,e); }
int __cxa_thread_atexit_impl(void(*f)(void*),void*o,void*d){ return 0; } /* leak TLS dtors */
unsigned __cpu_model[4]; int __cpu_indicator_init(void){ return 0; }
#include <string.h>
/* std::string::_M_replace_cold, GCC >= 13 only: replace with overlapping source */
void _ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE15_M_replace_coldEPcmPKcmm(void*self, char*p, size_t n1, const char*s, const size_t n2, const size_t tail){
  (void)self;
  if (n2 && n2 <= n1) memmove(p, s, n2);
  if (tail && n1 != n2) memmove(p + n2, p + n1, tail);
  if (n2 > n1) {
    if (s + n2 <= p + n1) memmove(p, s, n2);
    else if (s >= p + n1) memcpy(p, s + (n2 - n1), n2);
    else { size_t left = (size_t)((p + n1) - s); memmove(p, s, left); memcpy(p + left, p + n2, n2 - left); }
  }
}
struct dlfo { unsigned long long flags; void *start,*end; void *lm; void *eh; unsigned long long rsv[7]; };
struct q { unsigned long pc; struct dlfo *r; };
static int cb(struct dl_phdr_info *i, size_t n, void *v){ struct q *q=v; int hit=0; unsigned long lo=~0ul,hi=0; void*eh=0;
  for(int k=0;k<i->dlpi_phnum;k++){ const ElfW(Phdr)*p=&i->dlpi_phdr[k]; unsigned long a=i->dlpi_addr+p->p_vaddr;
    if(p->p_type==PT_LOAD){ if(q->pc-a<p->p_memsz) hit=1; if(a<lo)lo=a; if(a+p->p_memsz>hi)hi=a+p->p_memsz; }
    else if(p->p_type==PT_GNU_EH_FRAME) eh=(void*)a; }
  if(!hit||!eh) return 0; q->r->flags=0; q->r->start=(void*)lo; q->r->end=(void*)hi; q->r->lm=0; q->r->eh=eh; return 1; }
int _dl_find_object(void*a, struct dlfo*r){ struct q q={(unsigned long)a,r}; return dl_iterate_phdr(cb,&q)?0:-1; }
