/* SPDX-License-Identifier: ISC
 *
 * Until src/policy and net/dns.c have landed: the least that lets the system
 * run.  Whoever lands them deletes this file.
 */
#include "policy/policy.h"
#include "role/role.h"
struct policy { const struct conf *c; const struct route *r; struct match_list *mynetworks; };
err policy_open(struct task *t, struct arena *a, const struct conf *c, struct tables *tables, const struct route *route, struct dns *dns, struct policy **out)
{ struct policy *p = arena_new(a, struct policy); (void)dns; p->c=c; p->r=route;
  TRY(match_list_open(t, tables, a, S("mynetworks"), conf_str(c,P_mynetworks), MATCH_ADDRESS, false, &p->mynetworks)); *out=p; return OK; }
err policy_judge(struct task *t, const struct policy *p, enum policy_stage stage, const struct policy_facts *f, struct arena *a, struct policy_verdict *out)
{ struct destination d; *out=(struct policy_verdict){0};
  if (stage != POLICY_RECIPIENT) return OK;
  if (resolve(t, p->r, &f->sender, &f->recipient, a, &d)) { out->reply = REPLY(451,"4.3.0","tables"); return OK; }
  if (d.class == CLASS_DEFAULT && match_list_find(t, p->mynetworks, f->client_name, f->client_address) && str_empty(f->sasl_user)) { out->reply = reply_fmt(a,554,"5.7.1","%.*s: Relay access denied", STR(f->recipient_shown)); return OK; }
  return recipient_check(t, p->r, false, f->recipient_shown, &f->recipient, &d, a, &out->reply); }
err policy_local_headers(struct task *t, const struct policy *p, const struct policy_facts *f, bool *local) { *local = match_list_find(t, p->mynetworks, f->client_name, f->client_address)==OK; return OK; }
