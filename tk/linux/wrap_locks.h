/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Before a tree's file: in a kernel for one CPU a spinlock is nothing but this annotation, so it is
 * seen who holds one. shim.c has the count.
 */
extern int lift_locks;

#undef __acquire
#undef __release
#define __acquire(lock) ((void)lift_locks++)
#define __release(lock) ((void)lift_locks--)
