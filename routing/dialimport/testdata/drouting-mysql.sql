-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)
/*!40101 SET NAMES utf8mb4 */;
DROP TABLE IF EXISTS `dr_gateways`;
CREATE TABLE `dr_gateways` (
  `id` int unsigned NOT NULL AUTO_INCREMENT,
  `gwid` char(64) NOT NULL,
  `type` int unsigned NOT NULL DEFAULT '0',
  `address` char(128) NOT NULL,
  `strip` int unsigned NOT NULL DEFAULT '0',
  `pri_prefix` char(16) DEFAULT NULL,
  `attrs` char(255) DEFAULT NULL,
  `probe_mode` int unsigned NOT NULL DEFAULT '0',
  `state` int unsigned NOT NULL DEFAULT '0',
  `socket` char(128) DEFAULT NULL,
  `description` char(128) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `dr_gw_idx` (`gwid`)
) ENGINE=InnoDB;
INSERT INTO `dr_gateways` VALUES (1,'fra-a',10,'sip:fra-a.trunks.example',0,'00',NULL,2,0,NULL,'Frankfurt; first'),
(2,'fra-b',10,'fra-b.trunks.example:5080',2,'0',NULL,2,0,NULL,NULL),
(3,'world',20,'sip:world.trunks.example;transport=tls',0,'+',NULL,0,0,'udp:192.0.2.1:5060','It\'s the rest'),
(4,'old',20,'sip:old.trunks.example',0,NULL,NULL,0,1,NULL,NULL);
CREATE TABLE `dr_carriers` (
  `id` int unsigned NOT NULL AUTO_INCREMENT, `carrierid` char(64) NOT NULL, `gwlist` char(255) NOT NULL, `flags` int unsigned NOT NULL DEFAULT '0',
  `sort_alg` char(1) NOT NULL DEFAULT 'N', `state` int unsigned NOT NULL DEFAULT '0', `attrs` char(255) DEFAULT NULL, `description` char(128) DEFAULT NULL,
  PRIMARY KEY (`id`), UNIQUE KEY `dr_carrier_idx` (`carrierid`)
);
INSERT INTO `dr_carriers` (`id`,`carrierid`,`gwlist`,`flags`,`sort_alg`,`state`,`attrs`,`description`) VALUES (1,'fra','fra-a=3,fra-b=1',0,'W',0,NULL,NULL);
CREATE TABLE `dr_rules` (
  `ruleid` int unsigned NOT NULL AUTO_INCREMENT, `groupid` char(255) NOT NULL, `prefix` char(64) NOT NULL, `timerec` char(255) DEFAULT NULL,
  `priority` int NOT NULL DEFAULT '0', `routeid` char(255) DEFAULT NULL, `gwlist` char(255) DEFAULT NULL, `sort_alg` char(1) NOT NULL DEFAULT 'N',
  `sort_profile` int unsigned DEFAULT NULL, `attrs` char(255) DEFAULT NULL, `description` char(128) DEFAULT NULL, PRIMARY KEY (`ruleid`)
);
INSERT INTO `dr_rules` VALUES
(1,'1','49','',0,NULL,'#fra,world','N',NULL,NULL,'Germany'),
(2,'1','49','20260101T180000|PT14H|WEEKLY|||MO,TU,WE,TH,FR',10,NULL,'world','N',NULL,NULL,'nights'),
(3,'1','49','',0,NULL,'world','N',NULL,NULL,'shadowed by rule 1'),
(4,'1,2','','',0,NULL,'world,old','N',NULL,NULL,'the rest'),
(5,'2','4930','',0,'7','fra-b','N',NULL,'lcr=yes',NULL),
(6,'1','44','20260101T180000|PT1H|HOURLY',0,NULL,'world','N',NULL,NULL,'odd'),
(7,'1','*98','',0,NULL,'world','N',NULL,NULL,'voice mail');
INSERT INTO `subscriber` VALUES (1,'alice','example.org','x');
