// The validator of Swagger UI is a service elsewhere: it is not asked.
SwaggerUIBundle({ url: "/openapi.yaml", dom_id: "#docs", deepLinking: true, validatorUrl: null, queryConfigEnabled: false });
