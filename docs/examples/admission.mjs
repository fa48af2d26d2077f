// Judges admissions with jose, as docs/admission-token.md has it: npm install jose
import { compactVerify, createRemoteJWKSet } from 'jose'

const AUDIENCE = 'site', ISSUER = 'waitroom', LEEWAY_S = 5
const STRINGS = ['iss', 'aud', 'sub', 'room', 'jti'], INTEGERS = ['num', 'iat', 'nbf', 'exp']
// Kept; fetched again for an unknown kid, though not within ten seconds.
const keys = createRemoteJWKSet(new URL(process.env.ADMISSION_KEYS), { cooldownDuration: 10_000 })
const CODES = {
  ERR_JOSE_ALG_NOT_ALLOWED: 'admission_algorithm',
  ERR_JWKS_NO_MATCHING_KEY: 'admission_unknown_key',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'admission_signature',
  ERR_JWS_INVALID: 'admission_malformed',
}

export class Refused extends Error {
  constructor(code) { super(code); this.code = code }
}

/** The claims of a good admission. Throws Refused, or what jose throws while no key set can be had. */
export async function verify(token, nowS = Date.now() / 1000) {
  if (!token) throw new Refused('admission_missing')
  if (!/^[\w-]*\.[\w-]*\.[\w-]*$/.test(token)) throw new Refused('admission_malformed')
  const { payload, protectedHeader } = await compactVerify(token, keys, { algorithms: ['EdDSA'] }).catch(error => {
    throw CODES[error.code] ? new Refused(CODES[error.code]) : error
  })
  if (protectedHeader.typ !== 'admission+jwt') throw new Refused('admission_type')
  const claims = parsed(payload)
  const isWhole = STRINGS.every(name => typeof claims[name] === 'string')
    && INTEGERS.every(name => Number.isInteger(claims[name])) && claims.num >= 0
    && (!('key' in claims) || typeof claims.key === 'string')
  if (!isWhole) throw new Refused('admission_claims')
  if (claims.exp + LEEWAY_S <= nowS) throw new Refused('admission_expired')
  if (Math.max(claims.nbf, claims.iat) - LEEWAY_S > nowS) throw new Refused('admission_early')
  if (claims.aud !== AUDIENCE) throw new Refused('admission_audience')
  if (claims.iss !== ISSUER) throw new Refused('admission_issuer')
  return claims
}

function parsed(payload) {
  try {
    const claims = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
    if (claims && typeof claims === 'object' && !Array.isArray(claims)) return claims
  } catch { /* not JSON: refused below */ }
  throw new Refused('admission_malformed')
}
