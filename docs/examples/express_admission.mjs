// Lets into an Express site whoever has an admission: npm install express jose
//
//   app.use(admitted())                                                        // every route
//   app.get('/flights/:id', admitted(request => request.params.id), show)      // and here, whoever stood in its line
import { Refused, verify } from './admission.mjs'

/** `keyOf(request)` is the key that a request is about, or null. */
export const admitted = (keyOf = () => null) => async (request, response, next) => {
  const sent = request.headersDistinct['x-waitroom-admission'] ?? []
  try {
    request.admission = await verify(sent.length === 1 ? sent[0] : '')
    const key = keyOf(request)
    if (key !== null && (request.admission.key ?? key) !== key) throw new Refused('admission_key')
  } catch (error) {
    const [status, code] = error instanceof Refused ? [401, error.code] : [503, 'admission_keys_unavailable']
    return response.status(status).set('X-Admission-Code', code).type('application/problem+json').json({ status, code })
  }
  next()
}
