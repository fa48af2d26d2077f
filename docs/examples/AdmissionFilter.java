import com.fasterxml.jackson.databind.JsonNode;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Collections;
import java.util.List;
import org.springframework.web.filter.OncePerRequestFilter;

/**
 * Lets into a Spring site whoever has an admission. In the SecurityFilterChain, before all that Spring asks for:
 * {@code http.addFilterBefore(new AdmissionFilter(verifier), DisableEncodeUrlFilter.class)}. Handlers find the claims
 * in the request's attribute "admission", and compare its key with what they are asked for.
 */
public final class AdmissionFilter extends OncePerRequestFilter {
    private final AdmissionVerifier verifier;

    public AdmissionFilter(AdmissionVerifier verifier) {
        this.verifier = verifier;
    }

    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        List<String> sent = Collections.list(request.getHeaders("X-Waitroom-Admission"));
        JsonNode claims;
        try {
            claims = verifier.verify(sent.size() == 1 ? sent.get(0) : "", System.currentTimeMillis() / 1000);
        } catch (AdmissionVerifier.Refused refused) {
            problem(response, 401, refused.code);
            return;
        } catch (IOException noKeySet) {
            problem(response, 503, "admission_keys_unavailable");
            return;
        }
        request.setAttribute("admission", claims);
        chain.doFilter(request, response);
    }

    private static void problem(HttpServletResponse response, int status, String code) throws IOException {
        response.setStatus(status);
        response.setContentType("application/problem+json");
        response.getWriter().write("{\"status\":" + status + ",\"code\":\"" + code + "\"}");
    }
}
