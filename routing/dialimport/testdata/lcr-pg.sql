--
-- PostgreSQL database dump
--
SET standard_conforming_strings = on;
COPY public.lcr_gw (id, lcr_id, gw_name, ip_addr, hostname, port, params, uri_scheme, transport, strip, prefix, tag, flags, defunct) FROM stdin;
1	1	cheap	192.0.2.10	\N	5060	\N	1	1	0	00	\N	0	\N
2	1	good	192.0.2.11	\N	\N	\N	1	2	0	00	\N	0	\N
3	1	last	\N	last.trunks.example	\N	;x=1	2	3	0	00	\N	0	\N
\.

COPY public.lcr_rule (id, lcr_id, prefix, from_uri, request_uri, stopper, enabled) FROM stdin;
1	1	\N	\N	\N	0	1
2	1	49	\N	\N	0	1
3	1	4930	\N	\N	1	1
4	1	49	^sip:44	\N	0	1
5	1	33	[a-z]+@example	\N	0	1
\.

COPY public.lcr_rule_target (id, lcr_id, rule_id, gw_id, priority, weight) FROM stdin;
1	1	1	3	0	1
2	1	2	1	0	1
3	1	2	2	0	2
4	1	3	2	0	1
5	1	4	2	0	1
\.
