// Tells nginx whether a request is admitted; see nginx.conf beside this.
import express from 'express'
import { admitted } from './express_admission.mjs'

express()
  .get('/verify', admitted(request => request.get('X-Admission-Key') || null), (_, response) => response.sendStatus(204))
  .listen(3000, '127.0.0.1')
