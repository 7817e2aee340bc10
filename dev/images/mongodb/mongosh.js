#!/usr/bin/env node
// mongosh: runs the bundle with V8's cache of its compiled code, which halves the time to a prompt. The cache is made when
// the image is built (MONGOSH_MAKE_CACHE=1), by a run that does what most runs do; V8 ignores one that doesn't fit.
'use strict';
const fs = require('fs'), vm = require('vm'), Module = require('module');
const file = __dirname + '/mongosh-bundle.js';
// the bundle is plain ASCII, and reading it as Latin-1 is the fastest
const source = Module.wrap(fs.readFileSync(file, 'latin1').replace(/^#!.*/, ''));
let cachedData;
try { cachedData = fs.readFileSync(file + '.cache'); } catch { /* slower */ }
const script = new vm.Script(source, { filename: file, cachedData, importModuleDynamically: (name) => import(name) });
if (process.env.MONGOSH_MAKE_CACHE) process.on('exit', () => fs.writeFileSync(file + '.cache', script.createCachedData()));
if (process.env.MONGOSH_CHECK_CACHE) process.exit(script.cachedDataRejected === false ? 0 : 1);
const bundle = new Module(file);
bundle.filename = file;
script.runInThisContext()(bundle.exports, require, bundle, file, __dirname);
