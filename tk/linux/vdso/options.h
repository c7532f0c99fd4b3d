/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options that are set for our units alone, before any other header of the kernel: there is a vDSO,
 * which guards itself against long idles, and there are timers of user space. ARCH=um has none of
 * these, and the rest of the kernel does not matter here.
 */
#ifndef CONFIG_GENERIC_GETTIMEOFDAY
#define CONFIG_GENERIC_GETTIMEOFDAY 1
#endif
#ifndef CONFIG_GENERIC_TIME_VSYSCALL
#define CONFIG_GENERIC_TIME_VSYSCALL 1
#endif
#ifndef CONFIG_GENERIC_VDSO_OVERFLOW_PROTECT
#define CONFIG_GENERIC_VDSO_OVERFLOW_PROTECT 1
#endif
#ifndef CONFIG_TIMERFD
#define CONFIG_TIMERFD 1
#endif
