"""Every finding that a text can lead to: one wrong text each, with its number and the name it must carry."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from rpcmemkit.errors import Diagnostic, IdlError
from rpcmemkit.idl import Switches, compile_idl
from rpcmemkit.idl import findings as table
from tests.idl.helpers import HEADER, findings, interface
from tests.idl.midl_table import ROWS

NODE = "typedef struct node { long v; struct node *next; } node; typedef node *PNODE;"
OPEN = "typedef struct { long n; [size_is(n)] long a[]; } OPEN;"
UNION = "typedef [switch_type(long)] union { [case(1)] long a; } U;"
CONTEXT = "typedef [context_handle] void *PCTX;"


class Case(NamedTuple):
    code: str
    body: str
    parameter: str | None = None
    acf: str | None = None
    osf: bool = False
    header: str = HEADER
    target: str = Switches().target


CASES = [
    # names and types
    Case("IDL201", "void f([in] NOTHING x);"),
    Case("IDL201", "typedef enum unknown E;"),
    Case("IDL201", "typedef [switch_type(NOTHING)] union { [case(1)] long a; } U;"),
    Case("IDL202", "typedef long A; typedef short A;"),
    Case("IDL202", "void f([in] long a, [in] long a);", "a"),
    Case("IDL202", "typedef struct { long a; short a; } S;"),
    Case("IDL202", "void f(void); void f(void);"),
    Case("IDL202", "typedef enum { A, B, A } E;"),
    Case("IDL202", "struct s { long a; }; struct s { long b; };"),
    Case("IDL202", "struct s { long a; }; union s { long b; };"),
    Case("IDL202", "const long A = 1; const long A = 2;"),
    Case("IDL203", "struct s { struct s inner; };"),
    Case("IDL208", "typedef struct s { struct t a[2]; } s;"),
    Case("IDL204", "const long A = B + 1;"),
    Case("IDL205", "typedef unsigned double D;"),
    Case("IDL205", "typedef unsigned signed D;"),
    Case("IDL206", "typedef struct { long flags : 3; } S; void f([in] S *s);", "s"),
    Case("IDL208", "struct later; void f([in] struct later *s);", "s"),
    Case("IDL208", "union later; struct h { [switch_is(k)] union later u; long k; }; void f([in] struct h *s);", "s"),
    Case("IDL209", "typedef [switch_type(float)] union { [case(1)] long a; } U;"),
    Case("IDL209", "typedef union switch (float f) { case 1: long a; } U;"),
    Case("IDL210", UNION + "void f([in] U *u);", "u"),
    Case("IDL211", "typedef [switch_type(long)] union { long a; } U; void f([in, switch_is(k)] U *u, [in] long k);", "u"),
    Case("IDL212", "typedef [switch_type(long)] union { [case(1)] long a; [case(1)] long b; } U;"),
    Case("IDL212", "typedef union switch (long k) { case 1: long a; case 2: case 1: long b; } U;"),
    Case("IDL216", "void f([in, size_is()] long *a);", "a"),
    Case("IDL216", "void f([in, range(1)] long a);", "a"),
    Case("IDL216", "typedef [switch_type] union { [case(1)] long a; } U;"),
    Case("IDL217", "void f([in] long);", osf=True),
    Case("IDL218", "void f([in] long a, ...);"),
    Case("IDL216", "void f([in, iid_is] void **p);", "p"),
    Case("IDL216", "void f(void);", header=HEADER.replace("(unique)", "(unqiue)")),
    Case("IDL219", "void f([in, out, uniqe] long *p);"),
    Case("IDL219", "void f([in] long n, [in, size_iss(n)] long *p);"),
    Case("IDL219", "void f([in, frob(1, 2)] long *p);"),
    Case("IDL219", "typedef struct { [uniqe] long *p; } S;"),
    Case("IDL219", "typedef union switch (long k) { case 1: [strng] char *p; } U;"),
    Case("IDL219", "typedef [handel] long H;"),
    Case("IDL219", "[idempotant] void f(void);"),
    Case("IDL219", "void f(void);", acf="interface i { [bogus] f(); }"),
    Case("IDL219", "void f(void);", acf="[auto_handl] interface i { }"),
    Case("IDL219", "void f([in] long *a);", acf="interface i { f([force_alocate] a); }"),
    Case("IDL219", "typedef long *T;", acf="interface i { typedef [alocate(all_nodes)] T; }"),
    Case("IDL219", "void f(void);", header=HEADER.replace("pointer_default", "pointer_defalt")),
    Case("IDL116", "const double A = 2.5; void f([in] long x[A]);"),
    Case("IDL116", "const float A = 1; void f([in, size_is(A)] long *x);", "x"),
    Case("IDL116", "typedef enum { A = 1.5 } E;"),
    Case("IDL116", "typedef union switch (long k) { case 0.5: long a; } U;"),
    Case("IDL116", "typedef [switch_type(long)] union { [case(1.0)] long a; } U;"),
    Case("IDL116", "void f([in, range(0, 1e3)] long x);"),
    Case("IDL116", "const long A = 1 << 2.5;"),
    Case("IDL116", "const double A = 2.5; const long B = A;"),
    Case("IDL116", "const double A = 2.5; const boolean B = !A;"),
    Case("IDL220", "typedef long wchar_t;"),
    Case("IDL220", "typedef unsigned short *wchar_t;"),
    Case("IDL221", "typedef long error_status_t;"),
    Case("IDL101", "typedef long boolean;"),
    Case("IDL101", "typedef long handle_t;"),
    Case("IDL101", "enum boolean { A };"),
    Case("IDL101", "typedef enum byte { A } E;"),
    Case("IDL101", "void f([in] enum handle_t e);"),
    Case("IDL101", "typedef union byte switch (long s) { case 1: long a; } U;"),
    Case("IDL101", "typedef union switch (long boolean) { case 1: long a; } U;"),
    Case("IDL101", "typedef union switch (long s) byte { case 1: long a; } U;"),
    Case("IDL101", "interface boolean;"),
    Case("IDL222", "long f[3]([in] long n);"),
    Case("IDL223", "long x;"),
    Case("IDL223", "long (*f)([in] long n);"),
    Case("IDL224", "typedef [switch_type(unsigned short)] union { [case(-1)] long a; } U;"),
    Case("IDL224", "typedef union switch (small k) { case 200: long a; } U;"),
    Case("IDL224", "typedef union switch (boolean k) { case 2: long a; } U;"),
    Case("IDL224", "typedef union switch (long k) { case 0x100000000: long a; } U;"),
    Case("IDL212", "typedef union switch (long k) { case -1: long a; case 0xFFFFFFFF: long b; } U;"),
    Case("IDL225", "typedef union switch (long k) { default: long a; case 1: ; default: ; } U;"),
    Case("IDL209", "typedef [switch_type(byte)] union { [case(1)] long a; } U;"),
    Case("IDL209", "typedef union switch (byte k) { case 1: long a; } U;"),
    Case("IDL226", "typedef struct { hyper a[0x7fffffff]; } S; typedef struct { S *s; } T; void f([in] T *t);", "t"),
    Case("IDL226", "void f([in] hyper a[0x7fffffff]);", "a"),
    Case("IDL104", "void f([in] long a" + "[1]" * 70 + ");"),
    Case("IDL104", "void f([in] long " + "*" * 70 + "a);"),
    Case("IDL112", "typedef enum { A = 0x100000000 } E;"),
    Case("IDL112", "const hyper A = 1 << 100;"),
    Case("IDL112", "const long A = 1 >> -1;"),
    Case("IDL208", "struct later; struct s { struct later a; };"),
    Case("IDL209", "typedef [switch_type(hyper)] union { [case(1)] long a; } U;"),
    Case("IDL209", "typedef union switch (unsigned hyper k) { case 1: long a; } U;"),
    Case("IDL224", "typedef enum { A, B } E; typedef [switch_type(E)] union { [case(70000)] long a; } U;"),
    Case("IDL224", "typedef enum { A, B } E; typedef union switch (E e) { case -1: long a; } U;"),
    Case("IDL228", "const short A = 100000;"),
    Case("IDL228", "const unsigned char A = 256;"),
    Case("IDL228", "const long A = -4294967297;"),
    Case("IDL228", "const unsigned long A = 1 << 32;"),
    Case("IDL112", "void f([in, max_is(0xffffffffffffffff)] long *a);", "a"),
    Case("IDL311", "void f([in, size_is(0x100000000)] long *a);", "a"),
    Case("IDL323", "void f([in] long a[0x80000000]);"),
    Case("IDL323", "void f([in] long a[0..0xffffffff]);"),
    # directions
    Case("IDL301", "void f([out] long a);", "a"),
    Case("IDL301", "void f([in, out] handle_t a);", "a"),
    Case("IDL302", "void f(long *a);", "a", osf=True),
    Case("IDL328", "void f([out, unique] long *a);", "a"),
    Case("IDL328", "void f([out, ptr] long *a);", "a"),
    Case("IDL339", "void f([out] const long *a);", "a"),
    Case("IDL339", "void f([in, out, string] const wchar_t **a);", "a"),
    Case("IDL339", "typedef const char *LPCSTR; void f([out] LPCSTR *a);", "a"),
    Case("IDL339", "typedef struct s { const long *p; struct s *next; } s; void f([in] s *q, [out] s *a);", "a"),
    Case("IDL377", "long f([in] long a)[3];"),
    Case("IDL378", "[string] const char *f([in] long a);"),
    Case("IDL317", "[out] long f([in] long a);"),
    Case("IDL379", "[maybe] void f([in] long a, [in, out] long *b);", "b"),
    Case("IDL379", "[message] long f([in] long a);"),
    Case("IDL380", "void f([in] handle_t *h, [in] long a);", "h"),
    Case("IDL390", "typedef pipe long P; [idempotent] void f([in] P p);", "p"),
    Case("IDL391", "typedef struct { error_status_t last; } S; void f([in] S *s);", "s"),
    Case("IDL391", "typedef struct { error_status_t *last; } S; void f([in] S *s);", "s"),
    Case("IDL391", "typedef union switch (long k) { case 1: error_status_t last; } U; void f([in] U *u);", "u"),
    Case("IDL391", "void f([in] error_status_t a[3]);", "a"),
    Case("IDL391", "void f([in] long n, [in, size_is(n)] error_status_t *a);", "a"),
    Case("IDL381", "typedef enum { A = -1 } E; typedef struct { E *e; } S; void f([in] S *s);"),
    Case("IDL340", "interface IOther; void f([out] IOther *a);", "a"),
    # what cannot be sent
    Case("IDL303", "void f([in] void *a);", "a"),
    Case("IDL303", "void f([in] void **a);", "a"),
    Case("IDL304", "void *f([in] long a);"),
    Case("IDL305", "typedef struct { void *p; } S; void f([in] S *s);", "s"),
    Case("IDL306", "typedef void (*F)(void); void f([in] F a);", "a"),
    Case("IDL307", "typedef void (*F)(void); F f([in] long a);"),
    Case("IDL308", "typedef struct { void (*p)(void); } S; void f([in] S *s);", "s"),
    # expressions in attributes
    Case("IDL310", "void f([in, size_is(n)] long *a);", "a"),
    Case("IDL310", "void f([in, iid_is(q)] void **p);", "p"),
    Case("IDL310", "void f([in] long *q, [in, iid_is(r)] void **p);", "p"),
    Case("IDL310", "typedef struct { [size_is(n)] long *a; } S; void f([in] long n, [in] S *s);"),
    Case("IDL311", "void f([in] float n, [in, size_is(n)] long *a);", "a"),
    Case("IDL311", "void f([in] hyper n, [in, size_is(n)] long *a);", "a"),
    Case("IDL311", "void f([in] long *n, [in, size_is(n)] long *a);", "a"),
    Case("IDL311", "void f([in] long n, [in, length_is(*n)] long a[3]);", "a"),
    Case("IDL332", "void f([in] long n, [in, size_is(n + 1)] long *a);", "a", osf=True),
    Case("IDL332", "void f([in] long n, [in, max_is(n * 2)] long *a);", "a", osf=True),
    Case("IDL332", "void f([in, max_is(4)] long *a);", "a", osf=True),
    Case("IDL331", "void f([in, unique] long *n, [in, size_is(*n)] long *a);", "a"),
    Case("IDL331", "void f([in, unique] long *n, [in, size_is(n ? 0 : *n)] long *a);", "a"),
    Case("IDL331", "void f([in, unique] long *n, [in, unique] long *m, [in, size_is(m ? *n : 0)] long *a);", "a"),
    Case("IDL331", "void f([in, unique] long *n, [in, size_is(n || *n ? 1 : 0)] long *a);", "a"),
    Case("IDL331", "void f([in, unique] long *n, [in, length_is(*n > 2 ? 2 : 0)] long a[4]);", "a"),
    Case("IDL331", UNION + "void f([in, unique] long *n, [in, switch_is(*n)] U *a);", "a"),
    Case("IDL331", "typedef struct { long *n; [size_is(*n)] long *a; } S; void f([in] S *s);", "s"),
    Case("IDL329", "void f([out] long *n, [in, size_is(*n)] long *a);", "a"),
    Case("IDL329", "void f([out] long *n, [out, size_is(*n)] long *a);", "a"),
    Case("IDL330", "void f([out] long *n, [in, length_is(*n)] long a[4]);", "a"),
    Case("IDL330", "void f([out] long *n, [in, out, first_is(*n)] long a[4]);", "a"),
    Case("IDL359", "void f([in] long n, [in] short l, [in, size_is(n), length_is(l)] long *a);", "a"),
    # array attributes
    Case("IDL312", "void f([in] long n, [in, length_is(n), last_is(n)] long a[3]);", "a"),
    Case("IDL313", "void f([in] long n, [in, size_is(n), max_is(n)] long *a);", "a"),
    Case("IDL314", "void f([in] long n, [in, size_is(n)] long a[4]);", "a"),
    Case("IDL315", "void f([in] long a[]);", "a"),
    Case("IDL315", "typedef struct { long a[]; } S; void f([in] S *s);", "s"),
    Case("IDL316", "void f([in] long n, [in, size_is(n)] long a[][]);", "a"),
    Case("IDL316", "void f([in] long n, [in, size_is(n, n)] long a[][]);", "a"),
    Case("IDL317", "void f([in, size_is(3)] long a);", "a"),
    Case("IDL317", "void f([in, size_is(3, 3)] long *a);", "a"),
    Case("IDL317", "void f([in, unique] long a);", "a"),
    Case("IDL317", "void f([in, string] char a);", "a"),
    Case("IDL317", "void f([in, switch_is(a)] long a);", "a"),
    Case("IDL317", "typedef struct { long a; } S; void f([in, range(0, 1)] S *a);", "a"),
    Case("IDL318", "void f([in] long n, [in, string, length_is(n)] char *a);", "a"),
    Case("IDL319", "void f([in, string] long *a);", "a"),
    Case("IDL320", "typedef struct { char c; } S; void f([in, string] S *a);", "a"),
    Case("IDL321", "void f([out, string] char *a);", "a"),
    Case("IDL321", "void f([out, string] char a[]);", "a"),
    Case("IDL322", "void f([in] long a[1..4]);"),
    Case("IDL323", "void f([in] long a[0]);"),
    Case("IDL341", "void f([in, range(3, 2)] long a);", "a"),
    Case("IDL342", "void f([in] long n, [in, size_is(n)] long (*a)[]);", "a"),
    Case("IDL342", OPEN + "void f([in] OPEN a[2]);", "a"),
    Case("IDL342", OPEN + "void f([in] long n, [in, size_is(n)] OPEN *a);", "a"),
    Case("IDL342", OPEN + "typedef struct { OPEN a[2]; } S; void f([in] S *a);", "a"),
    Case("IDL338", OPEN + "typedef union switch (long k) { case 1: OPEN a; } U; void f([in] U *a);", "a"),
    Case("IDL315", "void f([in] long n, [in, length_is(n)] long *a);", "a"),
    Case("IDL315", "void f([in] long n, [in, last_is(n)] long *a);", "a"),
    Case("IDL350", CONTEXT + "void f([in, unique] PCTX h);", "h"),
    Case("IDL354", "void f([in, min_is(0)] long a[4]);", "a"),
    # pointers
    Case("IDL324", "void f([in, unique, ptr] long *a);", "a"),
    Case("IDL324", "typedef [ref] long *R; void f([in, unique] R a);", "a"),
    Case("IDL324", "void f([in, ptr, ptr] long *a);", "a", osf=True),
    Case("IDL336", "typedef struct s { [ref] struct s *next; } s; void f([in] s *x);", "x"),
    Case("IDL337", "typedef union switch (long k) { case 1: [ref] long *a; } U; void f([in] U *u);", "u"),
    Case("IDL343", "void f([in, ignore] long *a);", "a"),
    Case("IDL344", "void f([in, partial_ignore, unique] long *a);", "a"),
    Case("IDL344", "void f([in, out, partial_ignore] long *a);", "a"),
    Case("IDL353", "typedef struct { [unique] long a[4]; } S;"),
    Case("IDL357", "typedef struct { long *p; } S; void f([in] S *s);", header=HEADER.replace(", pointer_default(unique)", "")),
    Case("IDL358", "typedef struct { long *p; } S; void f([in] S *s);", osf=True,
         header=HEADER.replace(", pointer_default(unique)", "")),
    # results
    Case("IDL325", "[ref] long *f([in] long a);"),
    Case("IDL326", UNION + "U f([in] long a);"),
    Case("IDL327", OPEN + "OPEN f([in] long a);"),
    # conformant structures
    Case("IDL333", "typedef struct { [size_is(n)] long a[]; long n; } S; void f([in] S *s);", "s"),
    Case("IDL334", OPEN + "void f([out] OPEN *s);", "s"),
    Case("IDL335", OPEN + "void f([in] OPEN s);", "s"),
    Case("IDL338", "typedef union switch (long k) { case 1: [size_is(3)] long a[]; } U; void f([in] U *u);", "u"),
    # handles
    Case("IDL345", CONTEXT + "void f([out] PCTX h);", "h"),
    Case("IDL346", "void f([in, context_handle] long h);", "h"),
    Case("IDL347", "typedef struct { long a; } S; typedef [context_handle] S *H;", osf=True),
    Case("IDL348", CONTEXT + "typedef struct { PCTX h; } S; void f([in] S *s);", "s", target="NT51"),
    Case("IDL348", "typedef struct { handle_t h; } S; void f([in] S *s);", "s"),
    Case("IDL349", "typedef [context_handle, transmit_as(long)] void *H;"),
    Case("IDL350", "void f([in, unique] handle_t *h);", "h"),
    Case("IDL351", "typedef [transmit_as(PNODE)] long L;" , header=HEADER + NODE),
    # pipes
    Case("IDL352", "void f([in, range(0, 1)] long a);", "a", osf=True),
    Case("IDL356", "[propget, propput] void f(void);"),
    Case("IDL356", "void f(void);", acf="[auto_handle, explicit_handle] interface i { }"),
    Case("IDL416", "void f([in] long a);", "a", "interface i { f([force_allocate] a); }"),
    Case("IDL360", "typedef pipe char P; void f([in] P p, [in, string] char *a);", "a"),
    # attribute file
    Case("IDL422", "void f([in] long a);", acf="[encode, decode] interface i { }"),
    Case("IDL422", "void f([in] long a);", acf="interface i { [decode] f(); }"),
    Case("IDL424", "long f([in] long a);", acf="[encode] interface i { }", header=HEADER.replace("[uuid", "[object, uuid")),
    Case("IDL425", "[reflect_deletions] void f([in, out, ptr] long *p);"),
    Case("IDL425", "void f([in] long a);", acf="interface i { [exceptions] f(); }"),
    Case("IDL426", "void f([in, out] error_status_t *s);", "s", "interface i { f([comm_status] s); }"),
    Case("IDL426", "void f([in] error_status_t s);", "s", "interface i { f([fault_status] s); }"),
    Case("IDL427", "void f([out] long *s);", "s", "interface i { f([comm_status] s); }"),
    Case("IDL427", "void f([out] unsigned long *s);", "s", "interface i { f([fault_status] s); }"),
    Case("IDL427", "void f([out] error_status_t **s);", "s", "interface i { f([fault_status] s); }"),
    Case("IDL428", "void f([out] error_status_t *s, [out] error_status_t *t);", "t", "interface i { f([comm_status] s, [comm_status] t); }"),
    Case("IDL429", "error_status_t f([out] error_status_t *s);", acf="interface i { [comm_status] f([comm_status] s); }"),
    Case("IDL430", "error_status_t f([out] error_status_t *s);", acf="interface i { [fault_status] f([fault_status] s); }"),
    Case("IDL431", "long f([in] long a);", acf="interface i { [comm_status, fault_status] f(); }"),
    Case("IDL431", "void f([in] long a);", acf="interface i { [fault_status] f(); }"),
    Case("IDL401", "void f(void);", acf="interface other { }"),
    Case("IDL401", "void f(void);", acf="interface i { [nocode] g(); }"),
    Case("IDL401", "void f(void);", acf="interface i { f([force_allocate] x); }"),
    Case("IDL402", "void f(void);", acf="interface i { typedef [allocate(all_nodes)] X; }"),
    Case("IDL403", NODE, acf="interface i { typedef [allocate(all_nodes)] PNODE; }", osf=True),
    Case("IDL404", NODE, acf="interface i { typedef [allocate(always)] PNODE; }"),
    Case("IDL405", NODE, acf="interface i { typedef [allocate(all_nodes, single_node)] PNODE; }"),
    Case("IDL405", NODE, acf="interface i { typedef [allocate(free, dont_free)] PNODE; }"),
    Case("IDL406", NODE, acf="interface i { typedef [allocate(all_nodes)] node; }"),
    Case("IDL406", "typedef void *PV;", acf="interface i { typedef [allocate(all_nodes)] PV; }"),
    Case("IDL407", CONTEXT, acf="interface i { typedef [allocate(all_nodes)] PCTX; }"),
    Case("IDL407", "typedef [handle] char *H;", acf="interface i { typedef [allocate(dont_free)] H; }"),
    Case("IDL408", "typedef [wire_marshal(long)] char *W;", acf="interface i { typedef [allocate(dont_free)] W; }"),
    Case("IDL409", NODE + "void f([in, out] PNODE *p);", "p", "interface i { typedef [allocate(all_nodes)] PNODE; }"),
    Case("IDL410", NODE + "void f([out] node *p, [in] long n);", "p", "interface i { f([byte_count(n)] p); }", True),
    Case("IDL411", "void f([in] long *p, [in] long n);", "p", "interface i { f([byte_count(n)] p); }"),
    Case("IDL412", OPEN + "void f([in, out] OPEN *p, [in] long n);", "p", "interface i { f([byte_count(n)] p); }"),
    Case("IDL413", "void f([in, out] long *p, [in] long n);", "p", "interface i { f([byte_count(n)] p); }"),
    Case("IDL413", "void f([out] long *p, [in, out] long *n);", "p", "interface i { f([byte_count(n)] p); }"),
    Case("IDL414", "void f([out] long *p, [in] float n);", "p", "interface i { f([byte_count(n)] p); }"),
    Case("IDL415", "void f([out, size_is(n)] long *p, [in] long n);", "p", "interface i { f([byte_count(n)] p); }"),
    Case("IDL310", "void f([out] long *p);", "p", "interface i { f([byte_count(n)] p); }"),
]  # fmt: skip

WHOLE_TEXTS = [
    ("IDL101", "interface i { void f(long long long x; }"),
    ("IDL102", "interface i { void f([in] long a$); }"),
    ("IDL103", "interface i { void f([in] long a);"),
    ("IDL115", '#include "/etc/passwd"\n'),
    ("IDL104", "const long A = " + "(" * 80 + "1" + ")" * 80 + ";"),
    ("IDL105", "/* never closed"),
    ("IDL106", 'const char *A = "never closed\n;'),
    ("IDL107", "#error no\n"),
    ("IDL108", 'import "missing.idl";'),
    ("IDL108", '#include "missing.h"\n'),
    ("IDL110", "#pragma pack(3)\n"),
    ("IDL111", "const long A = 1 +;"),
    ("IDL112", "const long A = 99999999999999999999;"),
    ("IDL112", "const long A = 089;"),
    ("IDL113", "const long A = 1 / 0;"),
    ("IDL114", "const long A = 1 2;"),
    ("IDL207", "[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802)] interface i : missing { }"),
    ("IDL213", "interface i { void f(void); }"),
    ("IDL214", "[uuid(12)] interface i { }"),
    ("IDL214", "[uuid] interface i { }"),
    ("IDL215", "[version(x)] interface i { }"),
    ("IDL215", "[version(1.2.3)] interface i { }"),
    ("IDL227", "namespace Sample { [default_interface] runtimeclass Person { } }"),
    ("IDL355", "interface i { typedef struct { [string, string] char *s; } S; }"),
]

# Not led to by one text: a loop of files.
ELSEWHERE = {"IDL117", "IDL109", "IDL423"}


def check(found: list[Diagnostic], code: str) -> Diagnostic:
    """The finding with this code, which must be complete: a place, a line, a caret inside it."""
    assert code in [one.code for one in found], [f"{one}" for one in found]
    one = next(one for one in found if one.code == code)
    assert one.midl == table.findings()[code].midl
    assert one.severity == table.findings()[code].severity
    assert one.line >= 1
    assert one.source != "" or one.line == 1
    assert 1 <= one.column <= len(one.source) + 1
    assert "{" not in one.message + one.remedy or "{" in one.source
    return one


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code}: {case.body[:50]}")
def test_finding(case: Case) -> None:
    switches = Switches(osf=case.osf, target=case.target)
    found = findings(interface(case.body, case.header), case.acf, switches=switches)
    assert check(found, case.code).parameter == case.parameter
    assert {one.code for one in found} <= {case.code, "IDL357", "IDL358"}, "one mistake, one finding"


@pytest.mark.parametrize(
    "attribute", ["size_is(n)", "max_is(n)", "size_is(*m)", "max_is(*m)", "size_is(n), last_is(n)"]
)
def test_dce_takes_plain_variables(attribute: str) -> None:
    body = f"void f([in] long n, [in] long *m, [in, {attribute}] long *a);"
    assert not {one.code for one in findings(interface(body), osf=True)} & {"IDL332"}


def test_dce_points_at_the_expression() -> None:
    (found,) = findings("interface i { void f([in] long n, [in, max_is(2 * n)] long *a); }", osf=True)[:1]
    assert (found.code, found.source[found.column - 1 :][:5]) == ("IDL332", "2 * n")
    assert "[max_is]" in found.message


@pytest.mark.parametrize(("code", "text"), WHOLE_TEXTS)
def test_finding_in_a_whole_text(code: str, text: str) -> None:
    check(findings(text), code)


def test_every_finding_has_a_text_that_leads_to_it() -> None:
    shown = {case.code for case in CASES} | {code for code, _ in WHOLE_TEXTS} | ELSEWHERE
    shown |= {one.code for row in ROWS for one in row.wrong.findings()}
    assert set(table.findings()) - shown == set()


def test_where_no_pipe_can_be() -> None:
    """Neither in COM nor over a binding that the stub finds; DCE's own error_status_t may lie in data."""
    text = interface("typedef pipe long P; void f([out] P *p); void g([in] long a);")
    found = findings(text.replace("[uuid", "[object, uuid"))
    assert "in an [object] interface" in check(found, "IDL390").message
    found = findings(text, "[auto_handle] interface i { }")
    assert "with [auto_handle]" in check(found, "IDL390").message
    assert "IDL390" not in [one.code for one in findings(text)]


def test_an_interface_is_remote_or_serializes() -> None:
    found = findings(interface("void f(void); void g(void);"), "interface i { [encode] f(); }")
    assert [(one.code, one.severity) for one in found] == [("IDL423", "error"), ("IDL422", "warning")]


def test_a_file_that_imports_itself(tmp_path: Path) -> None:
    (tmp_path / "a.idl").write_text('import "b.idl";')
    (tmp_path / "b.idl").write_text('import "a.idl";')
    from rpcmemkit.errors import IdlError
    from rpcmemkit.idl import compile_file

    with pytest.raises(IdlError) as caught:
        compile_file(tmp_path / "a.idl")
    assert check(caught.value.diagnostics, "IDL109").message.endswith("a.idl → b.idl → a.idl")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("uniqe", "did you mean [unique]?"),
        ("size_iss", "did you mean [size_is]?"),
        ("strng", "did you mean [string]?"),
        ("IN", "did you mean [in]?"),
        ("frob", "take it out: MIDL has no such attribute"),
    ],
)
def test_an_unknown_attribute_may_be_a_misspelt_one(written: str, meant: str) -> None:
    (found, *_) = findings(interface(f"void f([in, {written}] long *p);"))
    assert (found.code, found.midl, found.remedy) == ("IDL219", 2025, meant)
    assert found.source[found.column - 1 :].startswith(written + "]")
    assert found.length == len(written)


def test_an_unknown_attribute_does_not_hide_other_mistakes() -> None:
    found = findings(interface("void f([in, uniqe] long *p, [in] lung q);"))
    assert [one.code for one in found] == ["IDL219", "IDL201"]


def test_attributes_without_effect_here_are_known() -> None:
    names = "helpstring, annotation, v1_enum, webhosthidden, cs_char, Windows.Foundation.Any"
    assert findings(interface(f"typedef [{names}] long T;")) == []


def test_attributes_of_dce_are_known_in_its_mode() -> None:
    """MIDL has no counterpart of what frees the client's nodes (M-218): it is not silently carried out."""
    body = "[reflect_deletions] void f([in, out, ptr] long *p);"
    assert findings(interface(body), osf=True) == []
    (found,) = findings(interface(body))
    assert (found.code, found.line > 1, found.length) == ("IDL425", True, len("reflect_deletions"))
    assert "osf: true" in found.remedy


def test_a_status_may_be_any_name_of_its_type() -> None:
    body = (
        "typedef unsigned long error_status_t; typedef error_status_t outcome; outcome f([out] outcome *s);"
    )
    acf = "interface i { [comm_status] f([fault_status] s); }"
    assert findings(interface(body), acf) == []


def test_an_unknown_attribute_in_an_imported_file(tmp_path: Path) -> None:
    (tmp_path / "b.idl").write_text("typedef [uniqe] long *T;")
    (tmp_path / "a.idl").write_text('import "b.idl";')
    from rpcmemkit.errors import IdlError
    from rpcmemkit.idl import compile_file

    with pytest.raises(IdlError) as caught:
        compile_file(tmp_path / "a.idl")
    (found,) = caught.value.diagnostics
    assert (found.code, Path(found.file).name) == ("IDL219", "b.idl")


def test_an_interface_id_is_a_neighbour() -> None:
    text = "typedef struct { long a; } ID; typedef struct { ID *q; [iid_is(q)] void *p; } S;"
    body = "void f([in] ID *q, [in, iid_is(q)] void *p, [out] ID **r, [out, iid_is(*r)] void **s);"
    assert "IDL310" not in {one.code for one in findings(interface(text + body))}


@pytest.mark.parametrize(
    ("acf", "remedy"),
    [
        ("interface i { f([allocate(all_nodes)] a); }", "put it on a typedef"),
        ("interface i { [implicit_handle(handle_t h)] f(); }", "put it on a whole interface"),
        ("interface i { f([nocode] a); }", "put it on a procedure or a whole interface"),
    ],
)
def test_an_attribute_in_the_wrong_place_is_told_the_right_one(acf: str, remedy: str) -> None:
    (found,) = findings(interface("void f([in] long *a);"), acf)
    assert (found.code, found.remedy) == ("IDL317", remedy)


def test_the_help_names_what_it_speaks_of() -> None:
    (words,) = findings(interface("typedef float long X;"))
    assert "unsigned long" in words.remedy
    (missing,) = findings('import "nowhere.idl";')
    assert "-I FOLDER" in missing.remedy
    assert "include_dirs" in missing.remedy


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        ("namespace Sample { struct Point { Int32 X; Int32 Y; }; }", "MIDL 3"),
        ("namespace Sample { runtimeclass Person { Person(); void Walk(long steps); } }", "MIDL 3"),
        ("namespace Sample { interface IPerson { String Name { get; }; } }", "MIDL 3"),
        ("namespace Sample { runtimeclass Person { } }", "MIDL 3"),
        (interface("typedef bitmap info info;"), "Samba's pidl"),
        (interface("typedef [noprint] struct { long a; } S;"), "Samba's pidl"),
        (interface("NTSTATUS Close([in] long a);"), "Samba's pidl"),
        (interface("void f([in] uint32 a);"), "Samba's pidl"),
        (interface("typedef ISO_LATIN_1 letter;"), "DCE's IDL"),
        (interface("void f([out] unsigned32 *st);"), "DCE's IDL"),
    ],
)
def test_the_words_of_another_dialect_are_told_as_such(text: str, dialect: str) -> None:
    assert dialect in findings(text)[0].remedy


def test_a_member_without_a_name() -> None:
    found = findings(interface("typedef struct { short a; long; } S;"))
    assert [(one.code, one.remedy) for one in found] == [
        ("IDL101", "a declaration needs a name before its ';'")
    ]


@pytest.mark.parametrize("attribute", ["comm_status", "fault_status"])
def test_a_status_parameter_that_only_midl_adds_is_to_be_declared(attribute: str) -> None:
    """MIDL generates it (fault-status.md); here it has to stand in the IDL file."""
    head = "[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1805)] interface i"
    with pytest.raises(IdlError) as raised:
        compile_idl(f"{head} {{ void f([in] long n); }}", f"interface i {{ f([{attribute}] st); }}")
    (found,) = raised.value.diagnostics
    assert (found.code, found.remedy.partition(";")[0]) == (
        "IDL401",
        "declare it last in the IDL file: [out] error_status_t *st",
    )
