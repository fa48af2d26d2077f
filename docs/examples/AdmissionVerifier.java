import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.math.BigInteger;
import java.net.URI;
import java.net.http.*;
import java.security.*;
import java.security.spec.*;
import java.time.Duration;
import java.util.*;

/** Judges admissions by the waiting room's keys, which it keeps, and asks for again at most every ten seconds. */
public final class AdmissionVerifier {
    public static final class Refused extends Exception {
        public final String code;
        Refused(String code) { super(code); this.code = code; }
    }

    private static final long LEEWAY_S = 5;
    private static final Duration COOL_DOWN = Duration.ofSeconds(10), COOL_DOWN_WITHOUT_KEYS = Duration.ofSeconds(1);
    private static final List<String> STRINGS = List.of("iss", "aud", "sub", "room", "jti");
    private static final List<String> INTEGERS = List.of("num", "iat", "nbf", "exp");

    private final ObjectMapper json = new ObjectMapper();
    private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(3)).build();
    private final URI keySet;
    private final String audience, issuer;
    private Map<String, PublicKey> keys = Map.of();
    private long askedNs = System.nanoTime() - COOL_DOWN.toNanos();

    public AdmissionVerifier(URI keySet, String audience, String issuer) {
        this.keySet = keySet;
        this.audience = audience;
        this.issuer = issuer;
    }

    /** The claims of a good admission. An IOException says that no key set can be had: answer 503. */
    public JsonNode verify(String token, long nowS) throws Refused, IOException {
        if (token == null || token.isEmpty()) throw new Refused("admission_missing");
        String[] parts = token.split("\\.", -1);
        if (parts.length != 3) throw new Refused("admission_malformed");
        JsonNode header = object(parts[0]), claims = object(parts[1]);
        byte[] signature = decoded(parts[2]);
        if (!header.path("alg").asText().equals("EdDSA")) throw new Refused("admission_algorithm");
        if (!header.path("typ").asText().equals("admission+jwt")) throw new Refused("admission_type");
        requireSignature(key(header.path("kid").asText()), parts[0] + "." + parts[1], signature);
        requireClaims(claims);
        if (claims.get("exp").longValue() + LEEWAY_S <= nowS) throw new Refused("admission_expired");
        long begins = Math.max(claims.get("nbf").longValue(), claims.get("iat").longValue());
        if (begins - LEEWAY_S > nowS) throw new Refused("admission_early");
        if (!claims.get("aud").textValue().equals(audience)) throw new Refused("admission_audience");
        if (!claims.get("iss").textValue().equals(issuer)) throw new Refused("admission_issuer");
        return claims;
    }

    private JsonNode object(String part) throws Refused {
        try {
            JsonNode node = json.readTree(decoded(part));
            if (node != null && node.isObject()) return node;
        } catch (IOException notJson) { /* refused below */ }
        throw new Refused("admission_malformed");
    }

    private static byte[] decoded(String part) throws Refused {
        try {
            return Base64.getUrlDecoder().decode(part);
        } catch (IllegalArgumentException notBase64) {
            throw new Refused("admission_malformed");
        }
    }

    private static void requireSignature(PublicKey key, String signed, byte[] signature) throws Refused {
        try {
            Signature ed25519 = Signature.getInstance("Ed25519");
            ed25519.initVerify(key);
            ed25519.update(signed.getBytes(java.nio.charset.StandardCharsets.US_ASCII));
            if (ed25519.verify(signature)) return;
        } catch (GeneralSecurityException notASignature) { /* refused below */ }
        throw new Refused("admission_signature");
    }

    private static void requireClaims(JsonNode claims) throws Refused {
        boolean isWhole = STRINGS.stream().allMatch(name -> claims.path(name).isTextual())
            && INTEGERS.stream().map(claims::path).allMatch(n -> n.isIntegralNumber() && n.canConvertToLong())
            && claims.get("num").longValue() >= 0 && (!claims.has("key") || claims.get("key").isTextual());
        if (!isWhole) throw new Refused("admission_claims");
    }

    private synchronized PublicKey key(String kid) throws Refused, IOException {
        Duration coolDown = keys.isEmpty() ? COOL_DOWN_WITHOUT_KEYS : COOL_DOWN;
        if (!keys.containsKey(kid) && System.nanoTime() - askedNs >= coolDown.toNanos()) {
            askedNs = System.nanoTime();
            keys = fetched();
        }
        if (keys.isEmpty()) throw new IOException("no key set");
        if (!keys.containsKey(kid)) throw new Refused("admission_unknown_key");
        return keys.get(kid);
    }

    private Map<String, PublicKey> fetched() throws IOException {
        try {
            HttpRequest request = HttpRequest.newBuilder(keySet).timeout(Duration.ofSeconds(3)).build();
            Map<String, PublicKey> found = new HashMap<>();
            String document = http.send(request, HttpResponse.BodyHandlers.ofString()).body();
            for (JsonNode jwk : json.readTree(document).path("keys")) {
                if (!jwk.path("crv").asText().equals("Ed25519")) continue;
                found.put(jwk.path("kid").asText(), publicKey(jwk.path("x").asText()));
            }
            return found;
        } catch (InterruptedException | GeneralSecurityException unreadable) {
            throw new IOException(unreadable);
        }
    }

    /** RFC 8032, 5.1.5: the little-endian y, and in its highest bit whether x is odd. */
    private static PublicKey publicKey(String x) throws GeneralSecurityException {
        byte[] raw = Base64.getUrlDecoder().decode(x);
        byte[] bigEndian = new byte[32];
        for (int i = 0; i < 32; i++) bigEndian[i] = raw[31 - i];
        boolean isOdd = (bigEndian[0] & 0x80) != 0;
        bigEndian[0] &= 0x7f;
        EdECPoint point = new EdECPoint(isOdd, new BigInteger(1, bigEndian));
        return KeyFactory.getInstance("Ed25519").generatePublic(new EdECPublicKeySpec(NamedParameterSpec.ED25519, point));
    }
}
